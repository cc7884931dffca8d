"""Whether a failed migrate may succeed when it is run once more, by what it wrote to stderr.

Looks for the names of the driver's exceptions, which a traceback shows in any language:
psycopg names them after PostgreSQL's error codes (errcodes.txt), and Django keeps the
driver's exception as the cause of its own.
"""

from enum import StrEnum
from typing import Final


class Failure(StrEnum):
    """Why another attempt may fare better."""

    LOST = "the connection to the database was lost"
    LOCK = "a lock was not to be had in time"
    RACE = "what it makes is there already"
    CONFLICT = "it met what it did not expect"
    """Such as a duplicate row: another migrate's doing, or a mistake in the migration."""


SIGNS: Final = {
    Failure.LOCK: ("LockNotAvailable", "DeadlockDetected", "due to lock timeout"),
    Failure.LOST: (
        *("AdminShutdown", "CannotConnectNow", "CrashShutdown", "ConnectionFailure"),
        *("server closed the connection", "the connection is lost", "Connection refused"),
        *("terminating connection due to", "connection already closed"),
    ),
    Failure.RACE: (*("DuplicateTable", "DuplicateColumn", "DuplicateObject", "DuplicateAlias"),),
    Failure.CONFLICT: (
        *("UniqueViolation", "UndefinedTable", "UndefinedColumn", "UndefinedObject"),
        *("SerializationFailure", "tuple concurrently updated"),
    ),
}

POOLER: Final = "unsupported startup parameter"


def failure(stderr: str) -> Failure | None:
    """Return why another attempt may succeed, or None where nothing says so.

    The connection comes first: what follows its loss are the loss's own consequences.
    """
    for found in Failure:
        if any(sign in stderr for sign in SIGNS[found]):
            return found
    return None
