"""A command that runs beside us: it dies with us, gets our signals, and its errors are heard.

Its standard output is our own. Its standard error passes through us, so that the reason
of a failure is known; whatever it writes is written on at once.
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

FORWARDED: Final = (
    *(signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT),
    *(signal.SIGUSR1, signal.SIGUSR2),
)

GRACE: Final = 10.0
"""Seconds between SIGTERM and SIGKILL, as docker stop has it."""

MAX_STDERR_BYTES: Final = 65536
"""How much of the end of standard error is kept, in bytes."""

PR_SET_PDEATHSIG: Final = 1


class CommandProcess:
    """One run of the command."""

    def __init__(self, process: asyncio.subprocess.Process, errors: int) -> None:
        """Take a process that `start` began, and the pipe that it writes its errors to."""
        self._process = process
        self._errors = errors
        self._stderr_chunks: deque[bytes] = deque()
        self._listening = asyncio.create_task(self._listen())

    async def wait(self) -> int:
        """Return the exit code as a shell tells it: 128 and the signal that ended it."""
        code = await self._process.wait()
        with suppress(TimeoutError):
            # A grandchild may keep the pipe open for as long as it likes.
            await asyncio.wait_for(self._listening, 1)
        return code if code >= 0 else signal_exit_code(-code)

    def send(self, number: int) -> None:
        """Pass a signal on."""
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def stop(self) -> None:
        """End it: politely, then not."""
        self.send(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), GRACE)
        except TimeoutError:
            self.send(signal.SIGKILL)
            await self._process.wait()

    def stderr_tail(self) -> str:
        """Return the end of what it wrote to standard error."""
        return b"".join(self._stderr_chunks).decode(errors="replace")

    async def _listen(self) -> None:
        pipe = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(pipe), os.fdopen(self._errors, "rb", 0)
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
    """Start the command. Raises CommandNotFound or CommandNotRunnable."""
    # A pipe of our own: asyncio's Process.wait waits for its pipes, too, and so for a
    # grandchild that keeps one open (python/cpython#119710).
    errors, theirs = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            env={**os.environ, **environment},
            stderr=theirs,
            preexec_fn=_dies_with_us(),
        )
    except FileNotFoundError:
        os.close(errors)
        raise CommandNotFound(f"{command[0]}: command not found") from None
    except OSError as error:
        os.close(errors)
        raise CommandNotRunnable(f"{command[0]}: {error.strerror}") from None
    finally:
        os.close(theirs)
    return CommandProcess(process, errors)


def _dies_with_us() -> Callable[[], None] | None:
    """Return what a child calls before it becomes the command (prctl(2), PR_SET_PDEATHSIG)."""
    if sys.platform != "linux":
        return None
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def tie() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # We died before the tie was made.
            os._exit(1)

    return tie
