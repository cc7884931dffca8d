"""All that an output may show, as it was at one moment, and what it means for the gate."""

from collections.abc import Iterator, Sequence

import msgspec
from msgspec.structs import replace

from sidecar.core.gate.database_status import SATISFIED, DatabaseStatus, SchemaGroup
from sidecar.core.gate.state import Gate, PollResult
from sidecar.core.migrations.compare import Outcome
from sidecar.core.reason import Reason


class Identity(msgspec.Struct, frozen=True):
    """The release that the gate is for."""

    release: str | None
    manifest: str
    """The manifest's digest."""
    django: str


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The gate, its databases, and the release that it is for."""

    gate: Gate
    databases: tuple[DatabaseStatus, ...]
    identity: Identity
    epoch: float
    """What to add to a time of the gate to have seconds since the epoch."""
    started_at: float
    """On the gate's clock."""

    def targets(self) -> Iterator[tuple[DatabaseStatus, SchemaGroup]]:
        """Yield each group of schemas with its database."""
        return each_group(self.databases)


def each_group(
    databases: Sequence[DatabaseStatus],
) -> Iterator[tuple[DatabaseStatus, SchemaGroup]]:
    """Yield each group of schemas with its database."""
    for database in databases:
        for group in database.groups:
            yield database, group


def combine(
    databases: Sequence[DatabaseStatus], at: float, polled: str | None = None
) -> PollResult | None:
    """Return what the databases mean together, or None until each required one was read.

    The worst of what is required counts: inconsistent, behind, unreadable, ahead, current.
    `polled` is the alias of the database that was read just now: what only others mean was
    announced before, and is `repeated`.
    """
    every = [*each_group(databases)]
    # A gate that depends on nothing would open on anything.
    required = [(database, group) for database, group in every if group.required] or every
    if any(database.read_at is None for database, _ in required):
        return None
    polled_groups = [group for database, group in required if database.database == polled]
    result = PollResult(
        at=at,
        database=polled or "",
        cleared=bool(polled_groups)
        and all(group.reason is Reason.SCHEMA_CURRENT for group in polled_groups),
        outage=any(group.failure is not None for _, group in required),
    )
    return _with_worst(result, required, polled)


def _with_worst(
    result: PollResult,
    required: Sequence[tuple[DatabaseStatus, SchemaGroup]],
    polled: str | None,
) -> PollResult:
    verdicts = [
        (database.database, group.verdict)
        for database, group in required
        if group.failure is None and group.verdict is not None
    ]
    for outcome in (Outcome.INCONSISTENT, Outcome.BEHIND):
        found = [(name, verdict) for name, verdict in verdicts if verdict.outcome is outcome]
        if found:
            pruned = all(verdict.pruned for _, verdict in found)
            blamed = {name for name, verdict in found if verdict.pruned is pruned}
            repeated = polled is not None and polled not in blamed
            return replace(result, outcome=outcome, pruned=pruned, repeated=repeated)
    for _, group in required:
        if group.failure is not None:
            return replace(result, failure=group.failure)
    ahead = {name for name, verdict in verdicts if verdict.outcome is Outcome.AHEAD}
    return replace(
        result,
        outcome=Outcome.AHEAD if ahead else Outcome.CURRENT,
        migrating=any(database.run is not None for database, _ in required),
        repeated=bool(ahead) and polled is not None and polled not in ahead,
    )


def is_satisfied(databases: Sequence[DatabaseStatus]) -> bool:
    """Return whether Django's migrate would have nothing to do and nothing to record, anywhere."""
    verdicts = [group.verdict for _, group in each_group(databases) if group.verdict is not None]
    return all(
        verdict.outcome in SATISFIED and not verdict.plan and not verdict.unrecorded
        for verdict in verdicts
    )
