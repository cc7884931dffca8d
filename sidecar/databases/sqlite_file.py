"""Open a SQLite file so that nothing can be written, and say in one line why it cannot be."""

import os
import sqlite3
import stat
import time
from pathlib import Path
from typing import Final

from sidecar.errors import DatabaseDenied, DatabaseError, DatabaseTimeout, DatabaseUnreachable

STEPS: Final = 10_000
"""Instructions of SQLite's machine between two looks at the clock."""

WAL: Final = b"\x02"
"""What the file's header says of how it is read when it is in WAL mode."""


def open_read_only(file: Path, limit: float) -> sqlite3.Connection:
    """Open a file; waits for another's lock, and reads, for `limit` seconds at most.

    Never with `immutable=1`, which would read a file that is being written to as if it were
    not, and pass over what stands in the write-ahead log.
    """
    connection = sqlite3.connect(
        f"{file.as_uri()}?mode=ro", uri=True, timeout=limit, isolation_level=None
    )
    ends = time.monotonic() + limit
    connection.set_progress_handler(lambda: time.monotonic() > ends, STEPS)
    return connection


def unusable(file: Path) -> DatabaseError | None:
    """Return why this cannot be a database that we may read, if that can be seen from outside."""
    try:
        mode = file.stat().st_mode
    except FileNotFoundError:
        return DatabaseUnreachable(
            f"{file}: no such file; migrate makes it, and its volume must be mounted here"
        )
    except OSError as error:
        return DatabaseDenied(f"{file}: {error.strerror}")
    if not stat.S_ISREG(mode):
        return DatabaseDenied(f"{file}: is no regular file")
    if not os.access(file, os.R_OK, effective_ids=os.access in os.supports_effective_ids):
        return DatabaseDenied(f"{file}: user {os.geteuid()} may not read it")
    return None


def explained(file: Path, error: sqlite3.Error, limit: float) -> DatabaseError:
    """Return what an error of SQLite means for an operator; `limit` is in seconds."""
    # What is raised for a program's own mistakes has no code.
    code: int = getattr(error, "sqlite_errorcode", 0)
    match code & 0xFF:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return DatabaseTimeout(f"{file}: is locked by another process")
        case sqlite3.SQLITE_INTERRUPT:
            return DatabaseTimeout(f"{file}: no answer within {limit:g} s")
        case sqlite3.SQLITE_NOTADB:
            return DatabaseDenied(f"{file}: is no SQLite database, or is encrypted")
        case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_READONLY if _in_wal_mode(file):
            return DatabaseDenied(
                f"{file}: is in WAL mode, in which readers must be able to write beside it"
                f" ({file.name}-shm); mount its folder writable"
            )
        case sqlite3.SQLITE_READONLY:
            return DatabaseUnreachable(
                f"{file}: a writer died in the middle; the next one will roll that back"
            )
        case _:
            return DatabaseUnreachable(f"{file}: {error}")


def _in_wal_mode(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            return opened.read(20)[19:] == WAL
    except OSError:
        return False
