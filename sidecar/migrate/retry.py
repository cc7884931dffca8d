"""Decide whether a failed command is run again.

What failed is classified by what the command wrote to standard error: by the names of the
driver's exceptions, which a traceback shows in any language. psycopg names them after
PostgreSQL's error codes (errcodes.txt), and Django keeps the driver's exception as the cause of
its own.
"""

import asyncio
import logging
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from sidecar.core.migrations.manifest import Key, Node
from sidecar.migrate.progress import SchemaProgress, SchemaRead

LOG = logging.getLogger("sidecar.migrate")

BACKOFF: Final = 1.0
"""Seconds before the second attempt; each further one waits twice as long."""

CONFLICT_TIMEOUT: Final = 10.0
"""Seconds within which another migrate must record a migration that failed halfway here."""


class Failure(StrEnum):
    """Why another attempt may succeed."""

    LOST = "the connection to the database was lost"
    LOCK = "a lock was not to be had in time"
    RACE = "what it makes is there already"
    CONFLICT = "it met what it did not expect"
    """Such as a duplicate row: by another migrate, or by a mistake in the migration."""


STDERR_SIGNS: Final = {
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

OPTIONS_REFUSED: Final = "unsupported startup parameter"
"""What PgBouncer answers to PGOPTIONS."""


def classify_failure(stderr: str) -> Failure | None:
    """Return why another attempt may succeed, or None where no sign of it is found.

    The connection comes first: what follows its loss are the loss's own consequences.
    """
    for candidate in Failure:
        if any(sign in stderr for sign in STDERR_SIGNS[candidate]):
            return candidate
    return None


class Retry:
    """The decision on further attempts, by what the schema shows after a failed one."""

    def __init__(self, schema: SchemaProgress, nodes: Mapping[Key, Node], limit: int) -> None:
        """Take the schema, the manifest's migrations, and how many retries are allowed."""
        self._schema = schema
        self._nodes = nodes
        self._limit = limit

    async def should_retry(
        self, failure: Failure, attempts: int, before: SchemaRead, last: SchemaRead | None
    ) -> bool:
        """Return whether to run the command again after `attempts` of them.

        `before` was read before the failed attempt, `last` after it; None if the database did
        not answer.
        """
        if attempts > self._limit:
            return False
        if last is None:
            # Nobody knows where it stopped.
            return all(self._nodes[key].atomic for key in before.verdict.plan)
        if not last.verdict.plan:
            return True
        stopped = last.verdict.plan[0]
        if failure is Failure.CONFLICT or not self._nodes[stopped].atomic:
            return await self._recorded_by_another(stopped)
        return True

    async def _recorded_by_another(self, migration: Key) -> bool:
        """Wait until another migrate records a migration of which a part may be done here."""
        for _ in range(int(CONFLICT_TIMEOUT)):
            await asyncio.sleep(1)
            found = await self._schema.read_final()
            if found is not None and migration not in found.verdict.plan:
                return True
        return False


async def pause_before_retry(failure: Failure, attempts: int) -> None:
    """Log the failure of the last attempt, and wait before the next one."""
    pause = BACKOFF * 2 ** (attempts - 1)
    LOG.warning("attempt %d failed: %s; again in %g s", attempts, failure, pause)
    await asyncio.sleep(pause)
