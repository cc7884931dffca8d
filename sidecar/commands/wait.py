"""Wait until the schema is current, then become a command.

    sidecar wait --timeout 10m -- gunicorn shop.wsgi

Never gives up early on behind or inconsistent, which a running migrate can cause. Without
a command it ends with 0; after --timeout with 124.
"""

import asyncio
import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from sidecar import pid1
from sidecar.config import build
from sidecar.config.settings import Settings
from sidecar.config.watch import build_watcher
from sidecar.core.gate.snapshot import Snapshot
from sidecar.core.migrations.manifest import Manifest
from sidecar.core.views.documents import counts
from sidecar.core.views.text import describe_gate, escape
from sidecar.errors import CommandNotFound, CommandNotRunnable, WaitTimeout
from sidecar.outputs.failures import OutputFailures
from sidecar.watcher import Watcher

SETTINGS: Final = ("manifest", "database", "verdict", "gate", "wait", "log")

OPTIONS: Final = ()

TAKES_COMMAND: Final = True


class Progress(Protocol):
    """What shows the waiting."""

    def announce(self, snapshot: Snapshot) -> None:
        """Show a snapshot."""

    def close(self) -> None:
        """Leave the terminal as it was."""


def run(settings: Settings, command: list[str]) -> int:
    """Wait; then replace this process with the command, or return 0."""
    manifest = build.load_manifest(settings.manifest)
    program = _find(command[0]) if command else None
    pid1.reap_zombies()
    asyncio.run(_wait(settings, manifest))
    if program is not None:
        with suppress(OSError):  # The command needs none of what was printed.
            sys.stdout.flush()
            sys.stderr.flush()
        _become(program, command)
    return 0


def _find(name: str) -> str:
    """Find the command before waiting for it: a typo should not cost the whole wait."""
    found = shutil.which(name)
    if found is not None:
        return found
    if Path(name).exists():
        raise CommandNotRunnable(f"{name}: cannot be run")
    raise CommandNotFound(f"{name}: command not found")


def _become(program: str, command: list[str]) -> None:
    pid1.restore_defaults()
    try:
        os.execv(program, command)  # noqa: S606 - becoming the operator's command is the purpose
    except OSError as error:
        raise CommandNotRunnable(f"{program}: {error.strerror}") from None


async def _wait(settings: Settings, manifest: Manifest) -> None:
    opened = asyncio.Event()
    progress: Progress = Bar() if _can_draw() else Lines()

    def notice(snapshot: Snapshot) -> None:
        if snapshot.gate.ready:
            opened.set()
        progress.announce(snapshot)

    watcher = build_watcher(settings, manifest, OutputFailures())
    watcher.subscribe("progress", notice)
    try:
        async with asyncio.timeout(settings.timeout):
            await _run_until(opened, watcher)
    except TimeoutError:
        line = describe_gate(watcher.snapshot.gate, watcher.snapshot.databases)
        raise WaitTimeout(f"not ready after {settings.timeout:g} s: {line}") from None
    finally:
        progress.close()


def _can_draw() -> bool:
    """Return whether a person watches; a terminal in a container may have no width."""
    return sys.stderr.isatty() and os.get_terminal_size(sys.stderr.fileno()).columns > 0


async def _run_until(opened: asyncio.Event, watcher: Watcher) -> None:
    watching = asyncio.create_task(watcher.run())
    opening = asyncio.create_task(opened.wait())
    try:
        done, _ = await asyncio.wait({watching, opening}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in (watching, opening):
            task.cancel()
        await asyncio.wait({watching, opening})


class Lines:
    """Plain lines, one for each change: for logs."""

    def __init__(self) -> None:
        """Start with nothing printed."""
        self._printed = ""

    def announce(self, snapshot: Snapshot) -> None:
        """Print the gate's line when it has changed."""
        line = describe_gate(snapshot.gate, snapshot.databases)
        if line != self._printed:
            self._printed = line
            with suppress(OSError):
                print(f"wait: {escape(line)}", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Nothing was left open."""


class Bar:
    """A progress bar of applied migrations: for people."""

    def __init__(self) -> None:
        """Draw an empty bar."""
        from tqdm import tqdm  # noqa: PLC0415 - only a terminal pays for it

        self._bar = tqdm(
            total=0, unit="migration", bar_format="{desc} |{bar}| {n}/{total} {elapsed}"
        )

    def announce(self, snapshot: Snapshot) -> None:
        """Draw what is applied, and name what is next."""
        verdict = snapshot.databases[0].groups[0].verdict
        if verdict is not None:
            self._bar.total, self._bar.n = counts(verdict)
        follows = f" {verdict.pending[0]}" if verdict is not None and verdict.pending else ""
        self._bar.set_description_str(escape(f"{snapshot.gate.reason}{follows}"))

    def close(self) -> None:
        """Leave the bar as it stands."""
        self._bar.close()
