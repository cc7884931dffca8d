"""How long migrations took, as far as the times at which they were recorded show it.

Django records a migration when it has ended (django/db/migrations/executor.py), with the
clock of the process that migrates. So the gap between two rows of one batch is the time
that the second took, and the first of a batch has no gap: only the start of a
`sidecar migrate` run bounds it, the start of Django included.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from sidecar.core.migrations.manifest import Key

MAX_TIMELINE: Final = 500


class Applied(msgspec.Struct, frozen=True):
    """A migration that was applied; `took` in seconds, None where it is not known."""

    key: Key
    at: float
    took: float | None = None


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Migrations that were applied one after the other; times in seconds since the epoch."""

    began: float
    ended: float | None = None
    """When the last required one was recorded; None while some are pending."""
    count: int = 0


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """What was applied, newest last, and how much of it happened between two reads."""

    applied: tuple[Applied, ...] = ()
    observed: int = 0
    """How many were ever applied between two reads; these are at the end of `applied`."""
    batch: Batch | None = None


def start_timeline(recent: Sequence[tuple[Key, float]]) -> Timeline:
    """Return the timeline of a first read: nobody knows what ran in one batch before it."""
    return Timeline(applied=tuple(Applied(key, at) for key, at in recent))


def extend_timeline(
    timeline: Timeline,
    recent: Sequence[tuple[Key, float]],
    *,
    complete: bool,
    run_since: float | None = None,
) -> Timeline:
    """Return the timeline after a read; `complete`: nothing required is pending."""
    rows = _new_rows(timeline, recent)
    if not rows:
        return timeline
    batch = timeline.batch
    previous = timeline.applied[-1].at if timeline.applied else None
    unrelated = batch is None or batch.ended is not None
    if unrelated or previous is None or (run_since is not None and run_since > previous):
        batch, previous = None, run_since
    applied = []
    for key, at in rows:
        applied.append(Applied(key, at, None if previous is None else max(0.0, at - previous)))
        previous = at
    first, last = applied[0], applied[-1]
    batch = Batch(
        began=first.at - (first.took or 0.0) if batch is None else batch.began,
        ended=last.at if complete else None,
        count=len(applied) + (0 if batch is None else batch.count),
    )
    return Timeline(
        applied=(*timeline.applied, *applied)[-MAX_TIMELINE:],
        observed=timeline.observed + len(applied),
        batch=batch,
    )


def _new_rows(timeline: Timeline, recent: Sequence[tuple[Key, float]]) -> list[tuple[Key, float]]:
    """Return the rows that came after the last one that is known."""
    keys = {applied.key for applied in timeline.applied}
    rows: list[tuple[Key, float]] = []
    for key, at in reversed(recent):
        # Few rows get as far as the second test: a key is recorded again but seldom.
        if key in keys and _is_known(timeline, key, at):
            break
        rows.append((key, at))
    rows.reverse()
    return rows


def _is_known(timeline: Timeline, key: Key, at: float) -> bool:
    return any(one.key == key and one.at == at for one in reversed(timeline.applied))
