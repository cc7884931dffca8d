"""The migration lock of one SQLite file: a lock on a file of its own beside it.

Not on the database, whose locks are SQLite's. The kernel takes the lock (flock(2)) from
whoever dies, and no command inherits it. The file stays: who removed it could remove one
that somebody else has just locked.
"""

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

from sidecar.core.migrations.recorded import MigrateRun, parse_time
from sidecar.databases.base import StatementTimeouts
from sidecar.errors import DatabaseDenied


def get_lock_file(file: Path) -> Path:
    """Return the file whose lock is the migration lock."""
    return file.with_name(f"{file.name}-migrate")


class SqliteMigrationLock:
    """A file lock, from the `acquire` that gets it to `release`."""

    def __init__(self, file: Path) -> None:
        """Take the database's file."""
        self._path = get_lock_file(file)
        self._descriptor: int | None = None

    async def acquire(self) -> bool:
        """Try once; see `MigrationLock.acquire`."""
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise DatabaseDenied(
                f"{self._path}: {error.strerror}; a migrate run locks this file"
            ) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{time.time():.3f}\n".encode())
        self._descriptor = descriptor
        return True

    async def held(self) -> bool:
        """Return whether it is still held; it is not once the file was removed."""
        if self._descriptor is None:
            return False
        with suppress(OSError):
            return os.path.samestat(os.fstat(self._descriptor), self._path.stat())
        return False

    async def count_leftover_sessions(self) -> int:
        """Return 0: a command dies with its run, and SQLite rolls back what it left."""
        return 0

    def environment(self, limits: StatementTimeouts) -> dict[str, str]:
        """Return no variables. Raises UsageError if a timeout is set."""
        limits.refuse("SQLite", "timeout")
        return {}

    async def release(self) -> None:
        """Release the lock; the file stays."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def read_migrate_run(file: Path) -> MigrateRun | None:
    """Return the migrate run that holds the lock of this file now, if any."""
    try:
        descriptor = os.open(get_lock_file(file), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.read(descriptor, 32).decode(errors="replace")
        return MigrateRun(since=parse_time(text.strip()))
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return None
