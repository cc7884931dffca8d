"""Signals of a migrate run: forwarded to the command while it runs, otherwise they end the run."""

import asyncio
import os
import signal
from typing import Final

from sidecar.migrate.process import CommandProcess

FORWARDED_SIGNALS: Final = (
    *(signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT),
    *(signal.SIGUSR1, signal.SIGUSR2),
)

ENDING_SIGNALS: Final = frozenset(FORWARDED_SIGNALS) - {signal.SIGUSR1, signal.SIGUSR2}

TERMINAL_SIGNALS: Final = frozenset({signal.SIGINT, signal.SIGQUIT})
"""What a terminal sends to its whole foreground process group: Ctrl-C and Ctrl-\\."""


class SignalForwarder:
    """Handles signals for the task that called `install`."""

    def __init__(self) -> None:
        """Start without a command and without a signal."""
        self._command: CommandProcess | None = None
        self._task: asyncio.Task[object] | None = None
        self.ended_by: int | None = None
        """The last signal that asks the run to end."""

    def install(self) -> None:
        """Handle signals from now on; those that arrive without a command cancel this task."""
        self._task = asyncio.current_task()
        loop = asyncio.get_running_loop()
        for number in FORWARDED_SIGNALS:
            loop.add_signal_handler(number, self._handle, number)

    def attach(self, command: CommandProcess) -> None:
        """Forward signals to this command; it gets at once the one that arrived before it."""
        self._command = command
        if self.ended_by is not None:
            command.send_signal(self.ended_by)

    def detach(self) -> None:
        """Forward no further signals: the command has ended."""
        self._command = None

    def _handle(self, number: int) -> None:
        if number in ENDING_SIGNALS:
            self.ended_by = number
        if self._command is not None:
            # The command has received what a terminal sent, as a member of the same group.
            if not (number in TERMINAL_SIGNALS and _in_foreground()):
                self._command.send_signal(number)
        elif number in ENDING_SIGNALS and self._task is not None:
            self._task.cancel()


def _in_foreground() -> bool:
    """Return whether this process group is the foreground group of a terminal."""
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False
