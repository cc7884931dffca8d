"""What the first process of a container must do for itself.

The kernel gives process 1 no defaults: a signal that it does not handle is ignored, and
processes of the container that lose their parent become its children, which stay as zombies
until it waits for them.
"""

import os
import signal
from types import FrameType
from typing import Final

from sidecar.errors import signal_exit_code

LEFT_ALONE: Final = frozenset({
    # Nobody can handle these, and Python already handles SIGINT.
    *(signal.SIGKILL, signal.SIGSTOP, signal.SIGINT),
    # These end no process, or are errors in Python.
    *(signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH),
    *(signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGPIPE, signal.SIGXFSZ),
    # A fault ends process 1, too; with a handler it would be repeated for ever.
    *(signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL),
})  # fmt: skip


def end_on_signals() -> None:
    """Let signals end process 1 as they would end any other, whatever it is doing."""
    if os.getpid() == 1:
        for number in signal.valid_signals() - LEFT_ALONE:
            signal.signal(number, _end)


def reap_zombies() -> None:
    """Let the kernel reap children at once; not for a process that waits for its own."""
    if os.getpid() == 1:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)


def restore_defaults() -> None:
    """Give SIGCHLD its default back before exec, across which an ignored signal stays ignored."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def _end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    # At once, as the kernel would: an exception is lost where it is raised in a destructor.
    os._exit(signal_exit_code(number))
