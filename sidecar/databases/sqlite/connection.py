"""Open a SQLite file so that nothing can be written to it."""

import os
import sqlite3
import stat
import time
from pathlib import Path
from typing import Final

from sidecar.errors import DatabaseDenied, DatabaseError, DatabaseUnreachable

DEADLINE_CHECK_INTERVAL: Final = 10_000
"""Instructions of SQLite's machine between two checks of the deadline."""


def open_read_only(file: Path, limit: float) -> sqlite3.Connection:
    """Open a file; waiting for a lock, or reading, takes `limit` seconds at most."""
    # Never with immutable=1, which would read a file that is being written to as if it were
    # not, and pass over what is in the write-ahead log.
    connection = sqlite3.connect(
        f"{file.as_uri()}?mode=ro", uri=True, timeout=limit, isolation_level=None
    )
    deadline = time.monotonic() + limit
    connection.set_progress_handler(lambda: time.monotonic() > deadline, DEADLINE_CHECK_INTERVAL)
    return connection


def check_file(file: Path) -> DatabaseError | None:
    """Return the error if this is no regular file that we may read, without opening it."""
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
