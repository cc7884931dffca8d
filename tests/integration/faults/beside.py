"""The sidecar of a cell: started under a prefix, probed without pause, looked into."""

import json
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from support.process import PATIENCE, Sidecar, until
from support.project import environment, sidecar

OBSERVER: Final = Path(__file__).with_name("observer")
PROBE_TIMEOUT: Final = 1.0 * PATIENCE
"""How long a probe waits, in seconds: the kubelet waits one, on a machine that is not slow."""

Document = dict[str, Any]


@dataclass(frozen=True)
class Usage:
    """What a sidecar holds while nobody asks it anything."""

    descriptors: int
    threads: int
    tasks: int

    def within(self, other: "Usage") -> bool:
        """Tell whether this is no more than the other."""
        return (
            self.descriptors <= other.descriptors
            and self.threads <= other.threads
            and self.tasks <= other.tasks
        )


class Beside(Sidecar):
    """A sidecar on a TCP port or, where its network is its own, on a Unix socket."""

    def __init__(
        self, manifest: Path, *flags: str, under: Sequence[str] = (), **variables: str
    ) -> None:
        """Start it under this prefix."""
        self.flags = ["--log-format=json", f"--manifest={manifest}", *flags]
        self._output = manifest.with_name("sidecar.log")
        self._file = self._output.open("w")
        self._tasks = manifest.with_name("tasks")
        self.blocked = manifest.with_name("blocked")
        observed = {"FAULTS_TASKS": str(self._tasks), "FAULTS_BLOCKED": str(self.blocked)}
        self.process = subprocess.Popen(
            [*under, sidecar(), "serve", *self.flags],
            env=environment(PYTHONPATH=str(OBSERVER), **observed, **variables),
            stdout=self._file,
            stderr=self._file,
            cwd=manifest.parent,
        )

    def get(self, path: str, **_: str) -> tuple[int, str]:
        """GET a path as a probe does: on a connection of its own, and not for long."""
        where = self.url
        unix = where.startswith("unix:")
        with socket.socket(socket.AF_UNIX if unix else socket.AF_INET) as connection:
            # What only people ask for is imported when the first one asks.
            connection.settimeout(
                PROBE_TIMEOUT if path in ("/readyz", "/livez") else 10 * PROBE_TIMEOUT
            )
            if unix:
                connection.connect(where.removeprefix("unix:"))
            else:
                host, port = where.removeprefix("http://").split(":")
                connection.connect((host, int(port)))
            connection.sendall(
                f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
            )
            with connection.makefile("rb") as answer:
                head, body = answer.read().split(b"\r\n\r\n", 1)
        return int(head.split(b" ", 2)[1]), body.decode()

    def usage(self) -> Usage:
        """Look into it; nobody may be probing."""
        self._tasks.unlink(missing_ok=True)
        self.process.send_signal(signal.SIGUSR2)
        until(self._tasks.exists, "the sidecar counts its tasks")
        tasks, threads = map(int, self._tasks.read_text().split())
        process = Path(f"/proc/{self.process.pid}")
        return Usage(_descriptors(process), threads, tasks)

    def phases(self, start: int = 0) -> list[str]:
        """Return the gate's phases as the log tells them, from a line on."""
        phases = [line["phase"] for line in self.log[start:] if "phase" in line]
        return [phase for at, phase in enumerate(phases) if phases[at - 1 : at] != [phase]]


def _descriptors(process: Path) -> int:
    """Count them without connections that it made itself: the server counts its sessions."""
    rows = [line.split() for line in (process / "net" / "tcp").read_text().splitlines()[1:]]
    listening = {row[1].partition(":")[2] for row in rows if row[3] == "0A"}
    own = {f"socket:[{row[9]}]" for row in rows if row[1].partition(":")[2] not in listening}
    open_files = []
    for entry in (process / "fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            open_files.append(str(entry.readlink()))
    return sum(name not in own for name in open_files)


@dataclass(frozen=True)
class Sample:
    """What one probe was told; code None is a probe that was not answered in time."""

    asked: float
    at: float
    code: int | None
    body: str

    @property
    def document(self) -> Document:
        """The body of /status."""
        document: Document = json.loads(self.body)
        return document


class Probes:
    """Three clients that ask without pause: is it ready, is it alive, what does it say."""

    def __init__(self, sidecar: Beside) -> None:
        """Take whom to ask."""
        self._sidecar = sidecar
        self._over = threading.Event()
        self.ready: list[Sample] = []
        self.live: list[Sample] = []
        self.told: list[Sample] = []
        self._threads = [
            threading.Thread(target=self._ask, args=arguments)
            for arguments in (
                ("/readyz", self.ready, 0.01),
                ("/livez", self.live, 0.1),
                ("/status", self.told, 0.03),
            )
        ]

    def __enter__(self) -> Self:
        """Start asking."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop asking."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def await_telling(
        self, condition: Callable[[Document], bool], what: str, since: float
    ) -> float:
        """Return how long after `since` /status first met the condition."""
        seen = 0

        def told() -> bool:
            nonlocal seen
            for sample in self.told[seen:]:
                seen += 1
                if sample.at > since and sample.code == 200 and condition(sample.document):
                    return True
            return False

        try:
            until(told, what)
        except AssertionError as error:
            raise AssertionError(f"{error}; it told last: {self.told[-1].body}") from None
        return self.told[seen - 1].at - since

    def readiness(self, start: float = 0) -> str:
        """Return what /readyz said to who asked since then, such as 200→503→200."""
        said = ["none" if s.code is None else str(s.code) for s in self.ready if start <= s.asked]
        return "→".join(code for at, code in enumerate(said) if said[at - 1 : at] != [code])

    def _ask(self, path: str, samples: list[Sample], pause: float) -> None:
        code: int | None
        while not self._over.wait(pause):
            asked = time.monotonic()
            try:
                code, body = self._sidecar.get(path)
            except (OSError, IndexError, ValueError):
                code, body = None, ""
            samples.append(Sample(asked, time.monotonic(), code, body))
