"""All that an outlet may tell, as it was at one moment."""

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from sidecar.core.gate.state import Gate, Look
from sidecar.core.migrations.compare import Outcome, Verdict
from sidecar.core.migrations.recorded import Run
from sidecar.core.migrations.timeline import Applied, Batch
from sidecar.core.reason import Reason

REASONS = {
    Outcome.CURRENT: Reason.SCHEMA_CURRENT,
    Outcome.AHEAD: Reason.SCHEMA_AHEAD,
    Outcome.BEHIND: Reason.SCHEMA_BEHIND,
    Outcome.INCONSISTENT: Reason.HISTORY_INCONSISTENT,
}


class Identity(msgspec.Struct, frozen=True):
    """Which release stands behind this gate."""

    release: str | None
    manifest: str
    django: str


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One schema of one database, as it was last seen. Times are seconds since the epoch.

    Schemas of a database that have the same rows are one target, however many they are.
    """

    database: str
    schema: str | None = None
    """Its name, where it is only one."""
    schemas: tuple[str, ...] = ()
    """All names, where several were asked for; sorted."""
    required: bool = True
    """Whether the gate depends on it."""
    verdict: Verdict | None = None
    """The last one; what it was before a failed look stays known."""
    failure: Reason | None = None
    message: str | None = None
    """Why the last look failed, for people."""
    note: str | None = None
    last_applied: float | None = None
    looks: int = 0
    """How often it was looked at."""
    looked_at: float | None = None
    succeeded_at: float | None = None
    progress_at: float | None = None
    """When the rows were last seen to change."""
    took: float = 0.0
    """How long the last look took, in seconds."""
    run: Run | None = None
    """A `sidecar migrate` under way."""
    timeline: tuple[Applied, ...] = ()
    """What was applied, newest last."""
    seen: int = 0
    """How many migrations were ever seen being applied; they are at the end of `timeline`."""
    batch: Batch | None = None
    """The migrations that are, or were last, seen being applied in one go."""

    @property
    def reason(self) -> Reason:
        """The target's own reason, whatever the gate makes of it."""
        if self.failure is not None:
            return self.failure
        return Reason.STARTING if self.verdict is None else REASONS[self.verdict.outcome]

    @property
    def count(self) -> int:
        """How many schemas it stands for."""
        return len(self.schemas) or 1


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The gate, its targets, and who it stands for."""

    gate: Gate
    targets: tuple[Target, ...]
    identity: Identity
    epoch: float
    """What to add to a time of the gate to have seconds since the epoch."""
    started_at: float
    """On the gate's clock."""


def overall(targets: Sequence[Target], at: float, looked: str | None = None) -> Look | None:
    """Return what the targets say together, or None while a required one was never looked at.

    The worst that a required one has counts: inconsistent, behind, unknown, ahead, current.
    `looked` is the database that was looked at just now: what only others say was said
    before, and is `repeated`.
    """
    # A gate that depends on nothing would open on anything.
    required = [target for target in targets if target.required] or targets
    if any(target.looked_at is None for target in required):
        return None
    mine = [target for target in required if target.database == looked]
    look = Look(
        at=at,
        looked=looked or "",
        cleared=bool(mine) and all(t.reason is Reason.SCHEMA_CURRENT for t in mine),
        outage=any(target.failure is not None for target in required),
    )
    told = [
        (t.database, t.verdict) for t in required if t.failure is None and t.verdict is not None
    ]
    for outcome in (Outcome.INCONSISTENT, Outcome.BEHIND):
        found = [(name, verdict) for name, verdict in told if verdict.outcome is outcome]
        if found:
            pruned = all(verdict.pruned for _, verdict in found)
            blamed = {name for name, verdict in found if verdict.pruned is pruned}
            repeated = looked is not None and looked not in blamed
            return replace(look, outcome=outcome, pruned=pruned, repeated=repeated)
    for target in required:
        if target.failure is not None:
            return replace(look, failure=target.failure)
    ahead = {name for name, verdict in told if verdict.outcome is Outcome.AHEAD}
    return replace(
        look,
        outcome=Outcome.AHEAD if ahead else Outcome.CURRENT,
        migrating=any(target.run is not None for target in required),
        repeated=bool(ahead) and looked is not None and looked not in ahead,
    )
