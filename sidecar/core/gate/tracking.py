"""What each read makes of a database's status."""

from collections.abc import Callable, Iterator, Sequence

from msgspec.structs import replace

from sidecar.core.gate.database_status import (
    SATISFIED,
    DatabaseStatus,
    ReadMemory,
    RequiredSchemas,
    SchemaGroup,
)
from sidecar.core.migrations import timeline
from sidecar.core.migrations.compare import Verdict
from sidecar.core.migrations.manifest import Key
from sidecar.core.migrations.recorded import Recorded
from sidecar.core.reason import Reason

Judge = Callable[[Sequence[Key]], Verdict]


def unread_database(database: str, required: RequiredSchemas) -> DatabaseStatus:
    """Return the status of a database that was never read."""
    group = SchemaGroup(required=not required.is_optional(database, ""))
    return DatabaseStatus(database=database, groups=(group,))


def after_failure(
    status: DatabaseStatus, reason: Reason, message: str, *, at: float, duration: float
) -> DatabaseStatus:
    """Return the status after a read that failed; what was known before stays known."""
    groups = (replace(group, failure=reason, message=message) for group in status.groups)
    return replace(
        status, groups=tuple(groups), reads=status.reads + 1, read_at=at, duration=duration
    )


def after_read(  # noqa: PLR0913 - all that a read brings, and all that judges it
    status: DatabaseStatus,
    recorded: Recorded,
    judge: Judge,
    required: RequiredSchemas,
    *,
    at: float,
    duration: float = 0.0,
    opened: bool = False,
    run_since: float | None = None,
) -> DatabaseStatus:
    """Return the status after a read.

    `at` is when it ended, in seconds since the epoch; `opened`: the gate has been open
    before; `run_since` is when a migrate run began that is known otherwise than by its lock.

    A tenant that appears behind an open gate does not count yet: it is made while the others
    are served, and closing the gate for as long as its first migrations run would be the
    outage. It counts from the moment when it is current.
    """
    memory = _remember(status.memory, recorded, judge, opened=opened)
    progressed = status.memory.rows is not None and memory.rows != status.memory.rows
    after = replace(
        status,
        reads=status.reads + 1,
        read_at=at,
        duration=duration,
        progress_at=at if progressed else status.progress_at,
        run=recorded.run,
        lock_holder=recorded.lock_holder,
        memory=memory,
    )
    if not recorded.schemas:
        after = replace(after, timeline=_timeline(status, after, recorded, run_since))
    groups = _groups(status, memory, recorded, required, at)
    return replace(after, groups=tuple(groups))


def progressed(before: DatabaseStatus, after: DatabaseStatus) -> bool:
    """Return whether the rows changed between two reads, or a migrate run began or ended."""
    known = before.memory.rows is not None
    changed = known and after.memory.rows != before.memory.rows
    return changed or (after.run is None) is not (before.run is None)


def _remember(memory: ReadMemory, recorded: Recorded, judge: Judge, *, opened: bool) -> ReadMemory:
    verdicts: dict[str, Verdict] = {}
    # What vanishes stays known: when it comes back it is no newcomer.
    known, migrated = set(memory.known), set(memory.migrated)
    for group in recorded.groups():
        # After a restart behind a remembered gate nothing is known, so nobody is a newcomer.
        counts = not opened or memory.rows is None
        if group.failure is None:
            verdict = memory.verdicts.get(group.text)
            verdicts[group.text] = judge(group.keys()) if verdict is None else verdict
            counts = counts or verdicts[group.text].outcome in SATISFIED
        known |= set(group.schemas) if counts else set()
        migrated |= set(group.schemas) if group.text else set()
    return ReadMemory(
        rows=tuple((group.text, group.schemas) for group in recorded.groups()),
        verdicts=verdicts,
        known=frozenset(known),
        migrated=frozenset(migrated),
    )


def _timeline(
    before: DatabaseStatus, after: DatabaseStatus, recorded: Recorded, run_since: float | None
) -> timeline.Timeline:
    if before.memory.rows is None:
        return timeline.start_timeline(recorded.recent)
    run = after.run or before.run
    return timeline.extend_timeline(
        before.timeline,
        recorded.recent,
        complete=not after.memory.verdicts[recorded.text].pending,
        run_since=run_since or (run.since if run else None),
    )


def _groups(
    before: DatabaseStatus,
    memory: ReadMemory,
    recorded: Recorded,
    required: RequiredSchemas,
    at: float,
) -> Iterator[SchemaGroup]:
    for found in recorded.groups():
        for counts, names in _split_required(before.database, memory, found, required):
            yield SchemaGroup(
                schema=(names[0] or None) if len(names) == 1 else None,
                schemas=names if found.schemas else (),
                required=counts,
                verdict=None if found.failure else memory.verdicts[found.text],
                failure=found.failure,
                message=found.message,
                note=found.note,
                last_applied=found.last_applied,
                succeeded_at=_last_success(before, names) if found.failure else at,
            )


def _split_required(
    database: str, memory: ReadMemory, found: Recorded, required: RequiredSchemas
) -> Iterator[tuple[bool, tuple[str, ...]]]:
    """Yield the schemas that the gate depends on, and those that it does not."""
    names = found.schemas or (found.schema or "",)
    optional: set[str] = set()
    if found.schemas and not memory.known.issuperset(names):
        optional.update(set(names) - memory.known)
    if found.schemas and not found.text and found.failure is None and not required.empty:
        never = (name for name in names if name not in memory.migrated)
        optional.update(name for name in never if f"{database}:{name}" not in required.named)
    if required.optional:
        optional.update(name for name in names if required.is_optional(database, name))
    for counts in (True, False):
        group = tuple(name for name in names if (name in optional) is not counts)
        if group:
            yield counts, group


def _last_success(before: DatabaseStatus, names: Sequence[str]) -> float | None:
    """Return when these schemas were last read, which may have been in another group."""
    wanted = set(names)
    same = (group for group in before.groups if not wanted.isdisjoint(group.schemas))
    return next(same, before.groups[0]).succeeded_at
