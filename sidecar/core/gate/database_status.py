"""One database as it is watched: what each look makes of its targets."""

from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Final

import msgspec

from sidecar.core.gate.snapshot import Target
from sidecar.core.migrations import timeline as batch
from sidecar.core.migrations.compare import Outcome, Verdict
from sidecar.core.migrations.manifest import Key
from sidecar.core.migrations.recorded import Recorded, Run
from sidecar.core.reason import Reason

SATISFIED: Final = frozenset({Outcome.CURRENT, Outcome.AHEAD})


class Needs(msgspec.Struct, frozen=True):
    """Which targets the gate depends on."""

    optional: tuple[str, ...] = ()
    """Patterns `alias:schema` of targets that it does not depend on."""
    empty: bool = True
    """Whether it depends on schemas, of several, in which nothing was ever migrated."""
    named: frozenset[str] = frozenset()
    """`alias:schema` of those that it depends on all the same: who names one means it."""

    def spare(self, database: str, schema: str) -> bool:
        """Tell whether a pattern names this target."""
        return any(fnmatchcase(f"{database}:{schema}", pattern) for pattern in self.optional)


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """A database, and what is remembered of it from look to look."""

    database: str
    needs: Needs = Needs()
    targets: tuple[Target, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...] | None = None
    """Each distinct set of rows and who has it; None before the first look."""
    verdicts: dict[str, Verdict] = {}
    """By the text of the rows: the same bytes are compared once."""
    known: frozenset[str] = frozenset()
    """Of several schemas those that the gate answers for: seen before it opened, or current
    since."""
    migrated: frozenset[str] = frozenset()
    """Of several schemas those that ever had rows."""
    timeline: batch.Timeline | None = None
    run: Run | None = None

    def succeeded_at(self, target: Target) -> float | None:
        """Return when a target was last read, which may have been with others then."""
        names = set(target.schemas)
        same = (old for old in self.targets if not names.isdisjoint(old.schemas))
        return next(same, self.targets[0]).succeeded_at


def begin(database: str, needs: Needs = Needs()) -> Watched:  # noqa: B008 - frozen
    """Return a database that nobody has looked at."""
    target = Target(database=database, required=not needs.spare(database, ""))
    return Watched(database=database, needs=needs, targets=(target,))


def failed(watched: Watched, reason: Reason, message: str) -> Watched:
    """Return a database that could not be read; what was known of it stays known."""
    targets = tuple(
        msgspec.structs.replace(target, failure=reason, message=message)
        for target in watched.targets
    )
    return msgspec.structs.replace(watched, targets=targets)


def read(
    watched: Watched,
    recorded: Recorded,
    judge: Callable[[Sequence[Key]], Verdict],
    *,
    opened: bool,
    run_since: float | None = None,
) -> Watched:
    """Return a database after a look; `opened` says that the gate has been open before.

    `run_since` is when a run of migrate began that is known otherwise than by its lock.

    A tenant that appears behind an open gate is not yet answered for: it is made while the
    others are served, and closing the gate for as long as its first migrations run would be
    the outage. It counts from the moment when it is current.
    """
    verdicts: dict[str, Verdict] = {}
    # What vanishes stays known: when it comes back it is no newcomer.
    known, migrated = set(watched.known), set(watched.migrated)
    for one in recorded.each():
        # After a restart behind a remembered gate nothing is known, so nobody is a newcomer.
        settled = not opened or watched.rows is None
        if one.failure is None:
            verdict = watched.verdicts.get(one.text)
            verdicts[one.text] = judge(one.keys()) if verdict is None else verdict
            settled = settled or verdicts[one.text].outcome in SATISFIED
        known |= set(one.schemas) if settled else set()
        migrated |= set(one.schemas) if one.text else set()
    after = msgspec.structs.replace(
        watched,
        rows=tuple((one.text, one.schemas) for one in recorded.each()),
        verdicts=verdicts,
        known=frozenset(known),
        migrated=frozenset(migrated),
        run=recorded.run,
    )
    if not recorded.schemas:
        after = msgspec.structs.replace(
            after, timeline=_timeline(watched, after, recorded, run_since)
        )
    return msgspec.structs.replace(after, targets=tuple(_targets(after, recorded)))


def _timeline(
    before: Watched, after: Watched, recorded: Recorded, run_since: float | None
) -> batch.Timeline:
    if before.timeline is None:
        return batch.begin(recorded.recent)
    run = after.run or before.run
    return batch.advance(
        before.timeline,
        recorded.recent,
        complete=not after.verdicts[recorded.text].pending,
        run_since=run_since or (run.since if run else None),
    )


def _targets(watched: Watched, recorded: Recorded) -> Iterator[Target]:
    timeline = watched.timeline or batch.Timeline()
    for one in recorded.each():
        for required, names in _by_need(watched, one):
            yield Target(
                database=watched.database,
                schema=(names[0] or None) if len(names) == 1 else None,
                schemas=names if one.schemas else (),
                required=required,
                verdict=None if one.failure else watched.verdicts[one.text],
                failure=one.failure,
                message=one.message,
                note=one.note,
                last_applied=one.last_applied,
                run=recorded.run,
                timeline=timeline.applied,
                seen=timeline.seen,
                batch=timeline.batch,
            )


def _by_need(watched: Watched, one: Recorded) -> Iterator[tuple[bool, tuple[str, ...]]]:
    """Yield the schemas that the gate depends on, and those that it does not."""
    names, needs = one.schemas or (one.schema or "",), watched.needs
    spared: set[str] = set()
    if one.schemas and not watched.known.issuperset(names):
        spared.update(set(names) - watched.known)
    if one.schemas and not one.text and one.failure is None and not needs.empty:
        never = (name for name in names if name not in watched.migrated)
        spared.update(name for name in never if f"{watched.database}:{name}" not in needs.named)
    if needs.optional:
        spared.update(name for name in names if needs.spare(watched.database, name))
    for required in (True, False):
        group = tuple(name for name in names if (name in spared) is not required)
        if group:
            yield required, group
