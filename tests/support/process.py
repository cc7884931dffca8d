"""A real `sidecar serve` in a process of its own, on ports that it chose itself."""

import json
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, ClassVar, Final, Self

from support.project import environment, sidecar

PATIENCE: Final = 10
"""Every limit on waiting in a test is as long as an idle machine of today needs, times this.

It costs no time: whoever waits goes on when its condition is met, and only what is broken is
waited for until the end.
"""


_remembered: "list[subprocess.Popen[Any]]" = []


def ask(url: str, **headers: str) -> tuple[int, str]:
    """GET a URL; return status and body."""
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - loopback only
    try:
        with urllib.request.urlopen(request, timeout=5 * PATIENCE) as answer:  # noqa: S310
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def until(condition: Callable[[], bool], what: str, within: float = 20) -> float:
    """Return how long it took until the condition was true.

    Fails after `within` seconds, where a machine is as fast as most, and PATIENCE times as many.
    """
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > within * PATIENCE:
            raise AssertionError(f"not within {within * PATIENCE:g} s: {what}")
        time.sleep(0.01)
    return time.monotonic() - began


def remember(process: "subprocess.Popen[Any]") -> None:
    """Let a process end with the test that started it, whatever becomes of that test."""
    _remembered.append(process)


def end_remembered() -> None:
    """End every process that was to end with the test."""
    while _remembered:
        process = _remembered.pop()
        if process.poll() is None:
            process.kill()
            process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()


class Sidecar:
    """A serving sidecar; `url` is its first address, `log` has its lines so far."""

    command: ClassVar[str | Path] = sidecar()

    def __init__(self, manifest: Path, *flags: str, url: str = "", **variables: str) -> None:
        """Start it, listening on a port of its own choice unless a flag sets another."""
        listen = (
            () if any(flag.startswith("--listen") for flag in flags) else ("--listen=127.0.0.1:0",)
        )
        self.flags = [*listen, "--log-format=json", f"--manifest={manifest}", *flags]
        self._output = manifest.with_name(f"sidecar-{time.monotonic_ns()}.log")
        self._file: IO[str] = self._output.open("w")
        self.process = subprocess.Popen(
            [self.command, "serve", *self.flags],
            env=environment(**({"DATABASE_URL": url} if url else {}), **variables),
            stdout=self._file,
            stderr=self._file,
            cwd=manifest.parent,
        )

    def __enter__(self) -> Self:
        """Wait until it listens."""
        until(lambda: bool(self.listening()) or self.process.poll() is not None, "it listens")
        if self.process.poll() is not None:
            self._file.close()
            raise AssertionError(f"it ended with {self.process.returncode}: {self.text}")
        return self

    def __exit__(self, *_: object) -> None:
        """End it, even if it is stopped."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait()
        self._file.close()

    @property
    def text(self) -> str:
        """All that it printed."""
        return self._output.read_text()

    @property
    def log(self) -> list[dict[str, Any]]:
        """Its log lines."""
        return [json.loads(line) for line in self.text.splitlines() if line.endswith("}")]

    def listening(self) -> list[str]:
        """Return its addresses, in the order in which it opened them."""
        return re.findall(r'"listen":"([^"]+)"', self._output.read_text())

    @property
    def url(self) -> str:
        """The first address."""
        return self.listening()[0]

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        """GET a path; return status and body."""
        return ask(self.url + path, **headers)

    def ready(self) -> bool:
        """Return whether /readyz answers 200."""
        return self.get("/readyz")[0] == 200

    def status(self) -> dict[str, Any]:
        """Return /status."""
        document: dict[str, Any] = json.loads(self.get("/status")[1])
        return document

    def stop(self, within: float = 20) -> int:
        """SIGTERM it; return its exit code."""
        self.process.terminate()
        return self.process.wait(within * PATIENCE)
