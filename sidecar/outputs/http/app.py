"""The HTTP endpoints: probes for Kubernetes, metrics, and what people and scripts read.

Answers come from memory and are rendered when the gate changes; no request can make a
database be read.
"""

import zlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from aiohttp import web
from multidict import CIMultiDict

from sidecar.core.gate.snapshot import Snapshot
from sidecar.core.views.json_text import encode_json
from sidecar.core.views.verbose import format_verbose

COMMON: Final = {"Cache-Control": "no-store", "Server": "migration-sidecar"}
TEXT: Final = CIMultiDict({**COMMON, "Content-Type": "text/plain; charset=utf-8"})
JSON: Final = CIMultiDict({**COMMON, "Content-Type": "application/json"})
DENIED: Final = CIMultiDict({**TEXT, "WWW-Authenticate": 'Bearer realm="migration-sidecar"'})
# A browser knows no bearer tokens; it asks its user for a password, and then sends that to
# /status, too. /status itself does not ask, so that no dialogue opens over a page that is open.
DENIED_PAGE: Final = CIMultiDict({**TEXT, "WWW-Authenticate": 'Basic realm="migration-sidecar"'})
REFUSALS: Final = {
    400: (b"bad request\n", TEXT),
    404: (b"not found; try /readyz\n", TEXT),
    405: (b"only GET and HEAD\n", CIMultiDict({**TEXT, "Allow": "GET, HEAD"})),
    500: (b"internal error; the log has it\n", TEXT),
}

Answer = Callable[[web.BaseRequest], web.Response]


class Endpoints:
    """Answers probes and people from the latest snapshot."""

    def __init__(  # noqa: PLR0913 - one for each thing that it answers with
        self,
        snapshot: Snapshot,
        *,
        is_alive: Callable[[], bool],
        render_metrics: Callable[[str], tuple[bytes, str]],
        render_status: Callable[[Snapshot], object],
        page: tuple[bytes, Mapping[str, str]] | None,
        report_failure: Callable[[str, Exception], None],
        authorizes: Callable[[str], bool] | None = None,
    ) -> None:
        """Take the first snapshot, and what renders the answers.

        `render_metrics` takes an Accept header and returns body and content type. `page` is
        body and headers of `/`; None: there are no details at all, only bare probes.
        `report_failure` gets the name of an endpoint whose answer failed, and the error.
        `authorizes`, where given, decides by the Authorization header who may see details.
        """
        self._is_alive = is_alive
        self._render_metrics = render_metrics
        self._render_status = render_status
        self._page = page
        self._report_failure = report_failure
        self._authorizes = authorizes
        self.announce(snapshot)

    def announce(self, snapshot: Snapshot) -> None:
        """Answer with this snapshot from now on."""
        gate = snapshot.gate
        self._status_document: bytes | None = None
        self._compressed: dict[str, bytes] = {}
        self._snapshot = snapshot
        self._ready_status = 200 if gate.ready else 503
        self._started_status = 503 if gate.opened_at is None else 200
        self._reason = f"{gate.reason}\n".encode()

    def probes(self) -> dict[str, Answer]:
        """Return what answers probes, by path."""
        answers: dict[str, Answer] = {
            "/livez": self._livez,
            "/healthz": self._livez,
            "/readyz": self._readyz,
            "/startupz": self._startupz,
        }
        return {path: partial(self._answer, path, answer) for path, answer in answers.items()}

    def details(self) -> dict[str, Answer]:
        """Return what answers everybody else, by path."""
        found: dict[str, Answer] = {"/metrics": self._metrics}
        if self._page is not None:
            found |= {"/status": self._statusz, "/": self._index}
        return {path: partial(self._answer, path, answer) for path, answer in found.items()}

    def _answer(self, path: str, answer: Answer, request: web.BaseRequest) -> web.Response:
        try:
            return answer(request)
        except Exception as error:  # noqa: BLE001 - one answer that fails stops no other
            self._report_failure(path.strip("/") or "page", error)
        if path == "/readyz":
            return respond(self._ready_status, self._reason)
        return refuse(500)

    def _livez(self, request: web.BaseRequest) -> web.Response:  # noqa: ARG002
        if self._is_alive():
            return respond(200, b"ok\n")
        return respond(503, b"the watcher is stuck\n")

    def _readyz(self, request: web.BaseRequest) -> web.Response:
        if request.query_string and "verbose" in request.query and self._may_see_details(request):
            return respond(self._ready_status, format_verbose(self._snapshot).encode())
        return respond(self._ready_status, self._reason)

    def _startupz(self, request: web.BaseRequest) -> web.Response:  # noqa: ARG002
        return respond(self._started_status, self._reason)

    def _metrics(self, request: web.BaseRequest) -> web.Response:
        if not self._is_authorized(request):
            return respond(401, b"a bearer token is needed\n", DENIED)
        body, content_type = self._render_metrics(request.headers.get("Accept", ""))
        headers = CIMultiDict({**COMMON, "Content-Type": content_type})
        if accepts_gzip(request.headers.get("Accept-Encoding", "")):
            headers["Content-Encoding"] = "gzip"
            if content_type not in self._compressed:
                self._compressed[content_type] = compress(body)
            body = self._compressed[content_type]
        return respond(200, body, headers)

    def _statusz(self, request: web.BaseRequest) -> web.Response:
        if not self._is_authorized(request):
            return respond(401, b"a bearer token is needed\n", DENIED)
        if self._status_document is None:
            self._status_document = encode_json(self._render_status(self._snapshot))
        return respond(200, self._status_document, JSON)

    def _index(self, request: web.BaseRequest) -> web.Response:
        assert self._page is not None  # noqa: S101 - `details` offers no page otherwise
        if not self._is_authorized(request):
            text = b"the token is needed: as the password, with any user name\n"
            return respond(401, text, DENIED_PAGE)
        body, headers = self._page
        return respond(200, body, CIMultiDict(headers))

    def _may_see_details(self, request: web.BaseRequest) -> bool:
        return self._page is not None and self._is_authorized(request)

    def _is_authorized(self, request: web.BaseRequest) -> bool:
        if self._authorizes is None:
            return True
        return self._authorizes(request.headers.get("Authorization", ""))


def respond(status: int, body: bytes, headers: "CIMultiDict[str]" = TEXT) -> web.Response:
    """Return a response; aiohttp adds to its headers, so each has its own."""
    return web.Response(status=status, body=body, headers=headers.copy())


def accepts_gzip(encodings: str) -> bool:
    """Return whether an Accept-Encoding header asks for gzip; `gzip;q=0` refuses it."""
    for part in encodings.lower().split(","):
        name, _, quality = part.partition(";")
        if name.strip() == "gzip":
            return quality.replace(" ", "").rstrip("0") not in {"q=", "q=0."}
    return False


def compress(body: bytes) -> bytes:
    """Return the body as gzip, at half the work of the default for a tenth more bytes."""
    packer = zlib.compressobj(level=1, wbits=zlib.MAX_WBITS | 16)
    return packer.compress(body) + packer.flush()


def refuse(status: int) -> web.Response:
    """Return the answer to what no endpoint answers."""
    return respond(status, *REFUSALS[status])
