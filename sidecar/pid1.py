"""What the first process of a container must do for itself.

The kernel gives process 1 no defaults: a signal that it does not handle is ignored, and
processes of the container that lose their parent become its children, which stay as zombies
until it waits for them.
"""

import os
import signal
from types import FrameType
from typing import NoReturn

from sidecar.errors import signal_exit_code


def end_on_sigterm() -> None:
    """Let SIGTERM end process 1 as it would end any other, whatever it is doing."""
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, _end)


def reap_zombies() -> None:
    """Let the kernel reap children at once; not for a process that waits for its own."""
    if os.getpid() == 1:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)


def restore_defaults() -> None:
    """Give SIGCHLD its default back before exec, across which an ignored signal stays ignored."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def _end(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001
    raise SystemExit(signal_exit_code(number))
