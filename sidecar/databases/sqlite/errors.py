"""Which of our errors one of SQLite becomes, and its text."""

import sqlite3
from pathlib import Path
from typing import Final

from sidecar.errors import DatabaseDenied, DatabaseError, DatabaseTimeout, DatabaseUnreachable

WAL: Final = b"\x02"
"""The read version in the header of a file in WAL mode (byte 19)."""


def translate_error(file: Path, error: sqlite3.Error, limit: float) -> DatabaseError:
    """Return our error for one of SQLite; `limit` is the timeout in seconds."""
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
