"""The schema as a run of migrate sees it: each look judged, and what was applied between."""

from collections.abc import Callable, Sequence

import msgspec

from sidecar.core import batch
from sidecar.core.batch import Applied, Timeline
from sidecar.core.graph import Outcome, Verdict
from sidecar.core.manifest import Key
from sidecar.core.recorded import Recorded
from sidecar.databases import Database


class Sight(msgspec.Struct, frozen=True):
    """One look."""

    recorded: Recorded
    verdict: Verdict

    @property
    def satisfied(self) -> bool:
        """Whether Django's migrate would find nothing to do and nothing to record."""
        good = self.verdict.outcome in {Outcome.CURRENT, Outcome.AHEAD}
        return good and not self.verdict.plan and not self.verdict.unrecorded


class Schema:
    """Looks at one schema, and remembers what it saw being applied."""

    def __init__(self, database: Database, judge: Callable[[Sequence[Key]], Verdict]) -> None:
        """Take what reads and what judges."""
        self._database = database
        self._judge = judge
        self._last: Sight | None = None
        self._timeline: Timeline | None = None
        self.run_since: float | None = None
        """When our command was started, in seconds since the epoch."""

    async def look(self) -> Sight:
        """Look. Raises DatabaseError."""
        recorded, last = await self._database.read(), self._last
        same = last is not None and last.recorded.text == recorded.text
        verdict = last.verdict if last and same else self._judge(recorded.keys())
        complete = not verdict.pending
        if self._timeline is None:
            self._timeline = batch.begin(recorded.recent)
        else:
            self._timeline = batch.advance(
                self._timeline, recorded.recent, complete=complete, run_since=self.run_since
            )
        self._last = Sight(recorded, verdict)
        return self._last

    @property
    def seen(self) -> int:
        """How many migrations were seen being applied so far."""
        return self._timeline.seen if self._timeline else 0

    def applied_after(self, seen: int) -> tuple[Applied, ...]:
        """Return what was applied since `seen` was read."""
        count = self.seen - seen
        return self._timeline.applied[-count:] if self._timeline and count else ()

    async def release(self) -> None:
        """Let go of any connection."""
        await self._database.release()
