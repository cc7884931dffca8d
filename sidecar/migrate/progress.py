"""The schema during a migrate run: each read compared with the manifest, and what was applied."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

import msgspec

from sidecar.core.gate.database_status import SATISFIED, RequiredSchemas, SchemaGroup
from sidecar.core.gate.snapshot import combine, is_satisfied
from sidecar.core.gate.state import PollResult
from sidecar.core.gate.tracking import Judge
from sidecar.core.migrations.compare import Verdict
from sidecar.core.migrations.recorded import LockHolder, MigrateRun
from sidecar.core.migrations.timeline import Applied
from sidecar.core.reason import Reason
from sidecar.databases.base import Database
from sidecar.errors import DatabaseDenied, DatabaseError, DatabaseTimeout
from sidecar.poll import Clock, Poller

LOG = logging.getLogger("sidecar.migrate")

FINAL_READ_TIMEOUT: Final = 60.0
"""Seconds that the database is given to answer after the command has ended."""

FINAL_READ_INTERVAL: Final = 1.0
"""Seconds between two attempts of that read."""


class SchemaRead(msgspec.Struct, frozen=True):
    """One read of all schemas."""

    poll_result: PollResult
    """The verdict on all schemas together."""
    verdict: Verdict
    """The worst verdict of any schema."""
    run: MigrateRun | None
    lock_holder: LockHolder | None
    schema: str | None
    satisfied: bool
    """Whether Django's migrate would find nothing to do and nothing to record, anywhere."""


class SchemaProgress:
    """Reads one schema, or several together, and keeps what was applied between reads."""

    def __init__(
        self,
        alias: str,
        database: Database,
        judge: Judge,
        required: RequiredSchemas,
        clock: Clock,
    ) -> None:
        """Take the database's alias, its reader, the comparison, and which schemas count."""
        self._poller = Poller(alias, database, judge, required, clock)

    async def read(self) -> SchemaRead:
        """Read all schemas. Raises DatabaseError if a required one could not be read."""
        error = await self._poller.poll()
        if error is not None:
            raise error
        status = self._poller.status
        poll_result = combine([status], 0.0)
        assert poll_result is not None  # noqa: S101 - it was read just now
        _check_readable(status.groups)
        verdicts = [group.verdict for group in status.groups if group.verdict is not None]
        worst = [verdict for verdict in verdicts if verdict.outcome not in SATISFIED]
        return SchemaRead(
            poll_result=poll_result,
            verdict=(worst or verdicts)[0],
            run=status.run,
            lock_holder=status.lock_holder,
            schema=status.groups[0].schema,
            satisfied=poll_result.outcome in SATISFIED and is_satisfied([status]),
        )

    def note_start(self, at: float) -> None:
        """Note when the command was started, in seconds since the epoch."""
        self._poller.run_since = at

    async def read_final(self) -> SchemaRead | None:
        """Read, again and again while the database does not answer; None after the timeout.

        A database that is restarting is given FINAL_READ_TIMEOUT.
        """
        try:
            async with asyncio.timeout(FINAL_READ_TIMEOUT):
                while True:
                    try:
                        return await self.read()
                    except DatabaseError as error:
                        LOG.warning("waiting for the database: %s", error)
                        await asyncio.sleep(FINAL_READ_INTERVAL)
        except TimeoutError:
            return None

    @property
    def applied_count(self) -> int:
        """How many migrations have been applied since the first read."""
        return self._poller.status.timeline.observed

    def list_applied(self, after: int) -> tuple[Applied, ...]:
        """Return what was applied since `applied_count` was `after`."""
        count = self.applied_count - after
        return self._poller.status.timeline.applied[-count:] if count else ()

    async def release(self) -> None:
        """Close any connection."""
        await self._poller.release()


def _check_readable(groups: Sequence[SchemaGroup]) -> None:
    """Raise DatabaseDenied or DatabaseTimeout if what could not be read may be behind."""
    unread = [group for group in groups if group.failure is not None]
    required = [group for group in unread if group.required]
    if not required and len(unread) < len(groups):
        return
    candidates = required or unread
    denied = [group for group in candidates if group.failure is Reason.DATABASE_DENIED]
    message = (denied or candidates)[0].message or ""
    raise (DatabaseDenied if denied else DatabaseTimeout)(message)
