"""Wait for the migration lock, until it is held or nothing is left to migrate."""

import asyncio
import logging
import random
from typing import Final

from sidecar.core.views.documents import counts
from sidecar.core.views.text import describe_holder, describe_run, describe_verdict
from sidecar.databases.base import MigrationLock
from sidecar.errors import DatabaseDenied, DatabaseError, WaitTimeout
from sidecar.migrate.progress import SchemaProgress, SchemaRead

LOG = logging.getLogger("sidecar.migrate")

LOCK_POLL_INTERVAL: Final = 0.5
"""Seconds between two attempts to acquire the lock, shortened at random."""

MAX_LOCK_POLL_INTERVAL: Final = 5.0
"""The longest pause in seconds while the database does not answer."""

LOG_REPEAT_INTERVAL: Final = 30.0
"""Seconds after which a line that has not changed is logged again."""


class LockWait:
    """The wait of one migrate run for the migration lock of its schema."""

    def __init__(
        self, schema: SchemaProgress, migration_lock: MigrationLock, limit: float | None
    ) -> None:
        """Take the schema, the lock to acquire, and the longest wait in seconds."""
        self._schema = schema
        self._lock = migration_lock
        self._limit = limit
        self._last_logged = ("", 0.0)
        self._failures = 0

    async def wait(self, *, force: bool = False) -> SchemaRead | None:
        """Return what was read once the lock is held, or None when nothing is left to migrate.

        With `force` the lock is wanted even when nothing is pending. Raises WaitTimeout after
        the limit, and DatabaseDenied at once, since no waiting fixes a wrong password.
        """
        status = "reading the schema"
        try:
            async with asyncio.timeout(self._limit):
                while True:
                    try:
                        found, status = await self._try_acquire(force=force)
                        self._failures = 0
                    except DatabaseDenied:
                        raise
                    except DatabaseError as error:
                        status = f"waiting for the database: {error}"
                        self._failures += 1
                    else:
                        if found is not None or not status:
                            return found
                    self._log(status)
                    await asyncio.sleep(self._choose_pause())
        except TimeoutError:
            raise WaitTimeout(f"no migration lock within {self._limit:g} s: {status}") from None

    async def _try_acquire(self, *, force: bool) -> tuple[SchemaRead | None, str]:
        """Return what was read if the lock is held, else what is being waited for, if anything."""
        found = await self._schema.read()
        if found.satisfied and not force:
            # All rows are there; whoever wrote them may not have ended yet.
            return None, _describe_wait(found) if found.run else ""
        if not await self._lock.acquire():
            return None, _describe_wait(found)
        while left := await self._lock.count_leftover_sessions():
            self._log(f"waiting for {left} session(s) of a migrate run that has died")
            await asyncio.sleep(LOCK_POLL_INTERVAL)
        found = await self._schema.read()
        if found.satisfied and not force:
            await self._lock.release()
            return None, ""
        # The session may have been lost since, and another one been opened for a query.
        return (found, "") if await self._lock.held() else (None, "acquiring the lock again")

    def _choose_pause(self) -> float:
        longest = min(LOCK_POLL_INTERVAL * 2.0**self._failures, MAX_LOCK_POLL_INTERVAL)
        return longest * (1 - 0.5 * random.random())  # noqa: S311 - spreads replicas

    def _log(self, text: str) -> None:
        """Log a line that has changed, or has not been logged for LOG_REPEAT_INTERVAL."""
        now = asyncio.get_running_loop().time()
        last, at = self._last_logged
        if text != last or now - at > LOG_REPEAT_INTERVAL:
            LOG.info("%s", text)
            self._last_logged = (text, now)


def _describe_wait(found: SchemaRead) -> str:
    run, holder = found.run, found.lock_holder
    if holder is not None and not holder.trusted:
        return f"waiting for the migration lock, {describe_holder(holder)}"
    expected, applied = counts(found.verdict)
    progress = f"waiting for another migrate run: {applied} of {expected} applied"
    details = [describe_run(run)] if run else []
    details += [f"migration lock {describe_holder(holder)}"] if holder else []
    return ", ".join([progress, *describe_verdict(found.verdict)[:1], *details])
