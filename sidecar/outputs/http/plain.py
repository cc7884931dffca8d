"""What kubelet and Prometheus ask for, answered with bytes that were made before they asked.

All else - verbose, JSON, tokens, refusals - is for `web`, which knows HTTP but is imported
only when somebody wants it.
"""

import re
import zlib
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from sidecar.core.gate.snapshot import Snapshot

STATUS: Final = {200: b"200 OK", 503: b"503 Service Unavailable"}

TEXT: Final = "text/plain; charset=utf-8"

ACCEPT: Final = re.compile(rb"\naccept:([^\r]*)")
ENCODING: Final = re.compile(rb"\naccept-encoding:([^\r]*)")

RENDERINGS: Final = 8
"""How many kinds of scrapes are kept: whoever makes up headers gets no more of our memory."""


class Answer(NamedTuple):
    """Status line and headers, each line with its end, and the body."""

    head: bytes
    body: bytes


Ask = Callable[[bytes], Answer | None]
"""Takes a request's headers, in lower case; None says that this is for somebody else."""


class Plain:
    """Answers from the latest snapshot, by path."""

    def __init__(
        self,
        snapshot: Snapshot,
        *,
        alive: Callable[[], bool],
        render_metrics: Callable[[str], tuple[bytes, str]],
    ) -> None:
        """Take the first snapshot, and what is asked for an answer."""
        self._alive = alive
        self._render_metrics = render_metrics
        self._scrapes: dict[tuple[bytes, bytes], Answer] = {}
        self.announce(snapshot)

    def announce(self, snapshot: Snapshot) -> None:
        """Answer with this snapshot from now on."""
        gate = snapshot.gate
        body = f"{gate.reason}\n".encode()
        self._ready = answer(200 if gate.ready else 503, body)
        self._started = answer(503 if gate.opened_at is None else 200, body)
        self._scrapes.clear()

    def probes(self) -> Mapping[bytes, Ask]:
        """Return what answers the probes."""
        return {
            b"/livez": self._livez,
            b"/healthz": self._livez,
            b"/readyz": self._readyz,
            b"/startupz": lambda _: self._started,
        }

    def details(self) -> Mapping[bytes, Ask]:
        """Return what answers scrapes that need no token."""
        return {b"/metrics": self._metrics}

    def _livez(self, headers: bytes) -> Answer:  # noqa: ARG002
        return ALIVE if self._alive() else STUCK

    def _readyz(self, headers: bytes) -> Answer | None:
        return None if b"health+json" in headers else self._ready

    def _metrics(self, headers: bytes) -> Answer | None:
        accept, encoding = ACCEPT.search(headers), ENCODING.search(headers)
        asked = (accept[1] if accept else b"", encoding[1] if encoding else b"")
        if b"q=0" in asked[1]:
            return None  # Such as "gzip;q=0", which refuses it.
        if asked not in self._scrapes:
            if len(self._scrapes) >= RENDERINGS:
                self._scrapes.clear()
            body, kind = self._render_metrics(asked[0].strip().decode("latin-1"))
            self._scrapes[asked] = answer(200, body, kind, compress=b"gzip" in asked[1])
        return self._scrapes[asked]


def answer(status: int, body: bytes, kind: str = TEXT, *, compress: bool = False) -> Answer:
    """Return an answer as it goes over the wire; date and connection are the server's to add."""
    if compress:
        # Half the work of the default for a tenth more bytes.
        packer = zlib.compressobj(level=1, wbits=zlib.MAX_WBITS | 16)
        body = packer.compress(body) + packer.flush()
    head = (
        b"HTTP/1.1 %b\r\nCache-Control: no-store\r\nServer: migration-sidecar\r\n"
        b"Content-Type: %b\r\n%bContent-Length: %d\r\n"
    ) % (
        STATUS[status],
        kind.encode(),
        b"Content-Encoding: gzip\r\n" if compress else b"",
        len(body),
    )
    return Answer(head, body)


ALIVE: Final = answer(200, b"ok\n")
STUCK: Final = answer(503, b"the watcher is stuck\n")
