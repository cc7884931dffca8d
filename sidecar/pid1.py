"""What the first process of a container must do for itself.

The kernel gives process 1 no defaults: a signal that it does not handle is ignored, and it
inherits every process whose parent has ended, which then stays a zombie until it waits for it.
"""

import os
import signal
from types import FrameType
from typing import NoReturn


def end_on_sigterm() -> None:
    """Let SIGTERM end this process as it would end any other, whatever it is doing."""
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, _end)


def reap_zombies() -> None:
    """Let the kernel reap children at once; not for a process that waits for its own."""
    if os.getpid() == 1:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)


def restore_child_signal() -> None:
    """Leave the next program the default, since what is ignored stays so across exec."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def _end(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001
    raise SystemExit(128 + number)
