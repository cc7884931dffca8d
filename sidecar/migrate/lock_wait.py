"""Wait for the turn at migrating, until it is ours or nobody needs one any more."""

import asyncio
import logging
import random
from typing import Final

from sidecar.core.views.documents import counts
from sidecar.core.views.text import run_line, verdict_details
from sidecar.databases.base import MigrationLock
from sidecar.errors import DatabaseDenied, DatabaseError, WaitTimeout
from sidecar.migrate.progress import Schema, SchemaRead

LOG = logging.getLogger("sidecar.migrate")

LOCK_POLL_INTERVAL: Final = 0.5
"""Seconds between two questions, shortened by chance."""

MAX_LOCK_POLL_INTERVAL: Final = 5.0
"""While the database does not answer."""

LOG_REPEAT_INTERVAL: Final = 30.0
"""Seconds after which a line that has not changed is told again."""


class LockWait:
    """One place in the queue of a schema."""

    def __init__(self, schema: Schema, migration_lock: MigrationLock, limit: float | None) -> None:
        """Take the schema, the turn to wait for, and the longest wait in seconds."""
        self._schema = schema
        self._lock = migration_lock
        self._limit = limit
        self._told = ("", 0.0)
        self._failures = 0

    async def wait(self, *, force: bool = False) -> SchemaRead | None:
        """Return what was seen once the turn is ours, or None when nobody needs one.

        With `force` the command is owed even when nothing is pending. Raises WaitTimeout,
        and DatabaseDenied at once, since no waiting mends a wrong password.
        """
        doing = "asking"
        try:
            async with asyncio.timeout(self._limit):
                while True:
                    try:
                        found, doing = await self._ask(force=force)
                        self._failures = 0
                    except DatabaseDenied:
                        raise
                    except DatabaseError as error:
                        doing = f"waiting for the database: {error}"
                        self._failures += 1
                    else:
                        if found is not None or not doing:
                            return found
                    self._tell(doing)
                    await asyncio.sleep(self._pause())
        except TimeoutError:
            raise WaitTimeout(f"no turn within {self._limit:g} s: {doing}") from None

    async def _ask(self, *, force: bool) -> tuple[SchemaRead | None, str]:
        """Return what was seen if the turn is ours, else what is being waited for, if anything."""
        found = await self._schema.look()
        if found.satisfied and not force:
            # All rows are there; whoever wrote them may not have ended yet.
            return None, _waits_for(found) if found.run else ""
        if not await self._lock.acquire():
            return None, _waits_for(found)
        while left := await self._lock.count_leftover_sessions():
            self._tell(f"waiting for {left} session(s) of a run that has died")
            await asyncio.sleep(LOCK_POLL_INTERVAL)
        found = await self._schema.look()
        if found.satisfied and not force:
            await self._lock.release()
            return None, ""
        # The session may have been lost since, and another one been opened for a question.
        return (found, "") if await self._lock.held() else (None, "asking again")

    def _pause(self) -> float:
        longest = min(LOCK_POLL_INTERVAL * 2.0**self._failures, MAX_LOCK_POLL_INTERVAL)
        return longest * (1 - 0.5 * random.random())  # noqa: S311 - spreads replicas

    def _tell(self, text: str) -> None:
        now = asyncio.get_running_loop().time()
        said, at = self._told
        if text != said or now - at > LOG_REPEAT_INTERVAL:
            LOG.info("%s", text)
            self._told = (text, now)


def _waits_for(found: SchemaRead) -> str:
    run = found.run
    expected, applied = counts(found.verdict)
    told = f"waiting for another run of migrate: {applied} of {expected} applied"
    details = [run_line(run)] if run else []
    return ", ".join([told, *verdict_details(found.verdict)[:1], *details])
