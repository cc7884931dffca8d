"""The schema during a migrate run: each read compared with the manifest, and what was applied."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from sidecar.core.gate import database_status as targets
from sidecar.core.gate.database_status import SATISFIED, Needs
from sidecar.core.gate.snapshot import Target, overall
from sidecar.core.gate.state import Look
from sidecar.core.migrations.compare import Verdict
from sidecar.core.migrations.manifest import Key
from sidecar.core.migrations.recorded import Run
from sidecar.core.migrations.timeline import Applied
from sidecar.core.reason import Reason
from sidecar.databases.base import Database
from sidecar.errors import DatabaseDenied, DatabaseError, DatabaseTimeout

LOG = logging.getLogger("sidecar.migrate")

FINAL_READ_TIMEOUT: Final = 60.0
"""Seconds that the database is given to answer after the command has ended."""

FINAL_READ_INTERVAL: Final = 1.0
"""Seconds between two attempts of that read."""


class SchemaRead(msgspec.Struct, frozen=True):
    """One read of all schemas."""

    poll_result: Look
    """The verdict on all schemas together."""
    verdict: Verdict
    """The worst verdict of any schema."""
    run: Run | None
    schema: str | None
    satisfied: bool
    """Whether Django's migrate would find nothing to do and nothing to record, anywhere."""


class SchemaProgress:
    """Reads one schema, or several together, and keeps what was applied between reads."""

    def __init__(
        self,
        alias: str,
        database: Database,
        judge: Callable[[Sequence[Key]], Verdict],
        needs: Needs,
    ) -> None:
        """Take the database's alias, its reader, the comparison, and which schemas are required."""
        self._database = database
        self._judge = judge
        self._status = targets.begin(alias, needs)
        self.run_since: float | None = None
        """When the command was started, in seconds since the epoch."""

    async def read(self) -> SchemaRead:
        """Read all schemas. Raises DatabaseError if a required one could not be read."""
        recorded = await self._database.read()
        self._status = targets.read(
            self._status, recorded, self._judge, opened=False, run_since=self.run_since
        )
        found = [msgspec.structs.replace(t, looked_at=0.0) for t in self._status.targets]
        poll_result = overall(found, 0.0)
        assert poll_result is not None  # noqa: S101 - every target was read
        _check_readable(found)
        verdicts = [target.verdict for target in found if target.verdict is not None]
        worst = [verdict for verdict in verdicts if verdict.outcome not in SATISFIED]
        return SchemaRead(
            poll_result=poll_result,
            verdict=(worst or verdicts)[0],
            run=self._status.run,
            schema=recorded.schema,
            satisfied=poll_result.outcome in SATISFIED
            and not any(verdict.plan or verdict.unrecorded for verdict in verdicts),
        )

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
        return self._status.timeline.seen if self._status.timeline else 0

    def list_applied(self, after: int) -> tuple[Applied, ...]:
        """Return what was applied since `applied_count` was `after`."""
        timeline, count = self._status.timeline, self.applied_count - after
        return timeline.applied[-count:] if timeline and count else ()

    async def release(self) -> None:
        """Close any connection."""
        await self._database.release()


def _check_readable(found: Sequence[Target]) -> None:
    """Raise DatabaseDenied or DatabaseTimeout if what could not be read may be behind."""
    unread = [target for target in found if target.failure is not None]
    required = [target for target in unread if target.required]
    if not required and len(unread) < len(found):
        return
    candidates = required or unread
    denied = [target for target in candidates if target.failure is Reason.DATABASE_DENIED]
    message = (denied or candidates)[0].message or ""
    raise (DatabaseDenied if denied else DatabaseTimeout)(message)
