"""The schema as a migrate run sees it: each read judged, and what was applied between reads."""

import msgspec

from sidecar.core.gate.database_status import SATISFIED, RequiredSchemas
from sidecar.core.gate.snapshot import combine, is_satisfied
from sidecar.core.gate.state import PollResult
from sidecar.core.gate.tracking import Judge
from sidecar.core.migrations.compare import Verdict
from sidecar.core.migrations.recorded import MigrateRun
from sidecar.core.migrations.timeline import Applied
from sidecar.core.reason import Reason
from sidecar.databases.base import Database
from sidecar.errors import DatabaseDenied, DatabaseTimeout
from sidecar.poll import Clock, Poller


class SchemaRead(msgspec.Struct, frozen=True):
    """One read."""

    result: PollResult
    """What all schemas mean together."""
    verdict: Verdict
    """The worst one."""
    run: MigrateRun | None
    schema: str | None
    satisfied: bool
    """Whether Django's migrate would find nothing to do and nothing to record, anywhere."""


class SchemaProgress:
    """Reads one schema, or several together, and remembers what was applied meanwhile."""

    def __init__(
        self,
        alias: str,
        database: Database,
        judge: Judge,
        required: RequiredSchemas,
        clock: Clock,
    ) -> None:
        """Take the database's alias, what reads and judges it, and which schemas count."""
        self._poller = Poller(alias, database, judge, required, clock)

    async def read(self) -> SchemaRead:
        """Read once. Raises DatabaseError."""
        error = await self._poller.poll()
        if error is not None:
            raise error
        status = self._poller.status
        unread = [group for group in status.groups if group.failure is not None]
        needed = [group for group in unread if group.required]
        if needed or len(unread) == len(status.groups):
            # What could not be read may be behind: no run can end well.
            denied = [g for g in needed or unread if g.failure is Reason.DATABASE_DENIED]
            message = (denied or needed or unread)[0].message or ""
            raise (DatabaseDenied if denied else DatabaseTimeout)(message)
        result = combine([status], 0.0)
        assert result is not None  # noqa: S101 - it was read just now
        verdicts = [group.verdict for group in status.groups if group.verdict is not None]
        worst = [verdict for verdict in verdicts if verdict.outcome not in SATISFIED]
        return SchemaRead(
            result=result,
            verdict=(worst or verdicts)[0],
            run=status.run,
            schema=status.groups[0].schema,
            satisfied=result.outcome in SATISFIED and is_satisfied([status]),
        )

    def began(self, at: float) -> None:
        """Note when our command was started, in seconds since the epoch."""
        self._poller.run_since = at

    @property
    def observed(self) -> int:
        """How many migrations were applied between two reads so far."""
        return self._poller.status.timeline.observed

    def applied_after(self, observed: int) -> tuple[Applied, ...]:
        """Return what was applied since `observed` was read."""
        count = self.observed - observed
        return self._poller.status.timeline.applied[-count:] if count else ()

    async def release(self) -> None:
        """Release any connection."""
        await self._poller.release()
