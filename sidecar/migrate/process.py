"""The command as a child process: it ends when its parent ends, and its standard error is read.

Its standard output is inherited. Its standard error passes through this process, so that the
reason of a failure is known; whatever it writes is written on at once.
"""

import asyncio
import ctypes
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from sidecar.errors import CommandNotFound, CommandNotRunnable, signal_exit_code

STOP_TIMEOUT: Final = 10.0
"""Seconds between SIGTERM and SIGKILL, as for docker stop."""

MAX_STDERR_BYTES: Final = 65536
"""How much of the end of standard error is kept."""

STDERR_CLOSE_TIMEOUT: Final = 1.0
"""Seconds that standard error may stay open after the command has exited."""

PR_SET_PDEATHSIG: Final = 1


class CommandProcess:
    """A running command."""

    def __init__(self, process: asyncio.subprocess.Process, stderr: int) -> None:
        """Take a process that `start` returned, and the end to read of its standard error."""
        self._process = process
        self._stderr = stderr
        self._stderr_chunks: deque[bytes] = deque()
        self._copying = asyncio.create_task(self._copy_stderr())

    async def wait(self) -> int:
        """Return the exit code as a shell does: 128 plus the number of the signal that ended it."""
        code = await self._process.wait()
        with suppress(TimeoutError):
            # A grandchild may keep the pipe open for as long as it likes.
            await asyncio.wait_for(self._copying, STDERR_CLOSE_TIMEOUT)
        return code if code >= 0 else signal_exit_code(-code)

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def stop(self) -> None:
        """End it with SIGTERM, and after STOP_TIMEOUT with SIGKILL."""
        self.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), STOP_TIMEOUT)
        except TimeoutError:
            self.send_signal(signal.SIGKILL)
            await self._process.wait()

    def read_stderr_tail(self) -> str:
        """Return the end of what it wrote to standard error, at most about MAX_STDERR_BYTES."""
        return b"".join(self._stderr_chunks).decode(errors="replace")

    async def _copy_stderr(self) -> None:
        pipe = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(pipe), os.fdopen(self._stderr, "rb", 0)
        )
        try:
            while chunk := await pipe.read(MAX_STDERR_BYTES):
                with suppress(OSError, AttributeError):  # Standard error may be closed.
                    sys.stderr.buffer.write(chunk)
                    sys.stderr.flush()
                self._stderr_chunks.append(chunk)
                while (
                    len(self._stderr_chunks) > 1
                    and sum(map(len, self._stderr_chunks)) > MAX_STDERR_BYTES
                ):
                    self._stderr_chunks.popleft()
        finally:
            transport.close()


async def start(command: Sequence[str], environment: Mapping[str, str]) -> CommandProcess:
    """Start the command with these variables added to the environment.

    Raises CommandNotFound if there is no such program, CommandNotRunnable if it cannot be run.
    """
    # Not subprocess.PIPE: asyncio's Process.wait waits for its pipes, too, and so for a
    # grandchild that keeps one open (python/cpython#119710).
    read_end, write_end = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            env={**os.environ, **environment},
            stderr=write_end,
            preexec_fn=_tie_to_parent(),
        )
    except FileNotFoundError:
        os.close(read_end)
        raise CommandNotFound(f"{command[0]}: command not found") from None
    except OSError as error:
        os.close(read_end)
        raise CommandNotRunnable(f"{command[0]}: {error.strerror}") from None
    finally:
        os.close(write_end)
    return CommandProcess(process, read_end)


def _tie_to_parent() -> Callable[[], None] | None:
    """Return what the child calls before exec, so that it is killed when this process ends.

    See prctl(2), PR_SET_PDEATHSIG; None where the system is not Linux.
    """
    if sys.platform != "linux":
        return None
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def set_death_signal() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # The parent ended before the call.
            os._exit(1)

    return set_death_signal
