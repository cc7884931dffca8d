"""The values of the gauges in a snapshot; what they mean stands in `measures`."""

from collections import Counter as Tally
from collections.abc import Iterator, Sequence
from typing import Final

from sidecar.core.gate.snapshot import Snapshot, Target
from sidecar.core.gate.state import Phase
from sidecar.core.migrations.manifest import app_of
from sidecar.core.reason import Reason

STATUSES: Final = ("current", "ahead", "behind", "inconsistent", "unknown", "optional")

Sample = tuple[str, tuple[str, ...], float]
"""Name, values of the labels, value."""


def samples(snapshot: Snapshot) -> Iterator[Sample]:
    """Yield the gauges of a snapshot, as far as they are known."""
    gate = snapshot.gate
    yield "ready", (), gate.ready
    for phase in Phase:
        yield "state", (phase,), phase is gate.phase
    for reason in Reason:
        yield "reason", (reason,), reason is gate.reason
    yield "state_changed_timestamp_seconds", (), gate.since + snapshot.epoch
    if gate.opened_at is not None:
        yield "gate_opened_seconds", (), gate.opened_at - snapshot.started_at
    for database in dict.fromkeys(target.database for target in snapshot.targets):
        of_database = [target for target in snapshot.targets if target.database == database]
        began = snapshot.started_at + snapshot.epoch
        yield "watch_started_timestamp_seconds", (database,), began
        yield from _looks(database, of_database)
        yield from _runs(database, of_database)
        yield from _rows(database, of_database)


def _looks(database: str, targets: Sequence[Target]) -> Iterator[Sample]:
    """Yield what is known of looking; thousands of schemas come down to their counts."""
    found: Tally[str] = Tally()
    for target in targets:
        status = _status(target)
        settled = target.required or status in {"current", "ahead"}
        found[status if settled else "optional"] += target.count
    for status in STATUSES:
        yield "targets", (database, status), found[status]
    yield "up", (database,), found["unknown"] == 0
    moments = {
        "last_check": [target.looked_at for target in targets],
        "last_progress": [target.progress_at for target in targets],
        "last_applied": [target.last_applied for target in targets],
    }
    for name, times in moments.items():
        known = [time for time in times if time is not None]
        if known:
            yield f"{name}_timestamp_seconds", (database,), max(known)
    read = [target.succeeded_at for target in targets if target.succeeded_at is not None]
    if len(read) == len(targets):
        yield "last_success_timestamp_seconds", (database,), min(read)


def _runs(database: str, targets: Sequence[Target]) -> Iterator[Sample]:
    """Yield what is known of running migrations; of several schemas the latest batch counts."""
    runs = [
        (target.looked_at or 0.0, target.run)
        for target in targets
        if target.run is not None and target.failure is None
    ]
    yield "migrate_in_progress", (database,), bool(runs)
    yield "migrate_waiting", (database,), max((run.waiting for _, run in runs), default=0)
    blocked = [at - run.blocked_since for at, run in runs if run.blocked_since is not None]
    yield "migrate_blocked_seconds", (database,), max(0.0, *blocked, 0.0)
    batches = [
        (target.timeline[-1].at, target.batch) for target in targets if target.batch is not None
    ]
    if batches:
        last, batch = max(batches, key=lambda pair: pair[0])
        yield "last_batch_duration_seconds", (database,), last - batch.began
        yield "last_batch_migrations", (database,), batch.count


def _rows(database: str, targets: Sequence[Target]) -> Iterator[Sample]:
    verdicts = [(t.count, t.verdict) for t in targets if t.verdict is not None]
    if not verdicts:
        return
    expected: Tally[str] = Tally()
    pending: Tally[str] = Tally()
    hidden: Tally[str] = Tally()
    for times, verdict in verdicts:
        for app, count in verdict.expected.items():
            expected[app] += times * count
        for tally, keys in ((pending, verdict.pending), (hidden, verdict.hidden)):
            for app, count in Tally(map(app_of, keys)).items():
                tally[app] += times * count
    for app, count in expected.items():
        yield "expected_migrations", (database, app), count
        yield "migrations", (database, app, "applied"), count - pending[app] - hidden[app]
        yield "migrations", (database, app, "pending"), pending[app]
        yield "migrations", (database, app, "hidden"), hidden[app]
    for kind in ("newer", "leftover", "foreign"):
        count = sum(times * len(getattr(verdict, kind)) for times, verdict in verdicts)
        yield "unexpected_migrations", (database, kind), count
    duplicates = sum(times * verdict.duplicates for times, verdict in verdicts)
    yield "unexpected_migrations", (database, "duplicate"), duplicates


def _status(target: Target) -> str:
    if target.failure is not None or target.verdict is None:
        return "unknown"
    return target.verdict.outcome
