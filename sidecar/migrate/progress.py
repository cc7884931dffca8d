"""The schema as a run of migrate sees it: each look judged, and what was applied between."""

from collections.abc import Callable, Sequence

import msgspec

from sidecar.core.gate import database_status as targets
from sidecar.core.gate.database_status import SATISFIED, Needs
from sidecar.core.gate.snapshot import overall
from sidecar.core.gate.state import Look
from sidecar.core.migrations.compare import Verdict
from sidecar.core.migrations.manifest import Key
from sidecar.core.migrations.recorded import Run
from sidecar.core.migrations.timeline import Applied
from sidecar.core.reason import Reason
from sidecar.databases.base import Database
from sidecar.errors import DatabaseDenied, DatabaseTimeout


class SchemaRead(msgspec.Struct, frozen=True):
    """One look."""

    look: Look
    """What all schemas say together."""
    verdict: Verdict
    """The worst one."""
    run: Run | None
    schema: str | None
    satisfied: bool
    """Whether Django's migrate would find nothing to do and nothing to record, anywhere."""


class Schema:
    """Looks at one schema, or at several together, and remembers what it saw being applied."""

    def __init__(
        self,
        alias: str,
        database: Database,
        judge: Callable[[Sequence[Key]], Verdict],
        needs: Needs,
    ) -> None:
        """Take the database's name, what reads, what judges, and which schemas count."""
        self._database = database
        self._judge = judge
        self._watched = targets.begin(alias, needs)
        self.run_since: float | None = None
        """When our command was started, in seconds since the epoch."""

    async def look(self) -> SchemaRead:
        """Look. Raises DatabaseError."""
        recorded = await self._database.read()
        watched = targets.read(
            self._watched, recorded, self._judge, opened=False, run_since=self.run_since
        )
        self._watched = watched
        found = [msgspec.structs.replace(t, looked_at=0.0) for t in watched.targets]
        look = overall(found, 0.0)
        assert look is not None  # noqa: S101 - every target was looked at
        unread = [target for target in found if target.failure is not None]
        needed = [target for target in unread if target.required]
        if needed or len(unread) == len(found):
            # What could not be read may be behind: no run can end well.
            denied = [t for t in needed or unread if t.failure is Reason.DATABASE_DENIED]
            told = (denied or needed or unread)[0].message or ""
            raise (DatabaseDenied if denied else DatabaseTimeout)(told)
        verdicts = [target.verdict for target in found if target.verdict is not None]
        worst = [verdict for verdict in verdicts if verdict.outcome not in SATISFIED]
        return SchemaRead(
            look=look,
            verdict=(worst or verdicts)[0],
            run=watched.run,
            schema=recorded.schema,
            satisfied=look.outcome in SATISFIED
            and not any(verdict.plan or verdict.unrecorded for verdict in verdicts),
        )

    @property
    def seen(self) -> int:
        """How many migrations were seen being applied so far."""
        return self._watched.timeline.seen if self._watched.timeline else 0

    def applied_after(self, seen: int) -> tuple[Applied, ...]:
        """Return what was applied since `seen` was read."""
        timeline, count = self._watched.timeline, self.seen - seen
        return timeline.applied[-count:] if timeline and count else ()

    async def release(self) -> None:
        """Let go of any connection."""
        await self._database.release()
