"""What is measured: every metric with its meaning, and its values in a snapshot.

Labels are database aliases, apps and closed sets; never a migration's name, a schema's or a
tenant's. What lies in a database is told by every replica alike: aggregate it with `max by`.
"""

from collections import Counter as Tally
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from sidecar.core.manifest import app_of
from sidecar.core.snapshot import Snapshot, Target
from sidecar.core.states import Phase, Reason

PREFIX: Final = "django_schema_"

FAILURES: Final = tuple(reason for reason in Reason if reason.startswith("database_"))
STATUSES: Final = ("current", "ahead", "behind", "inconsistent", "unknown")
BY_DATABASE: Final = "max by (job, namespace, database)"


class Kind(StrEnum):
    """What Prometheus calls a metric."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"
    INFO = "info"


class Measure(msgspec.Struct, frozen=True):
    """One metric: its labels, what it means, and a question that it answers."""

    kind: Kind
    labels: tuple[str, ...]
    meaning: str
    query: str
    buckets: tuple[float, ...] = ()


Sample = tuple[str, tuple[str, ...], float]
"""Name, values of the labels, value."""


def _gauge(labels: str, meaning: str, query: str) -> Measure:
    return Measure(Kind.GAUGE, tuple(labels.split()), meaning, query)


MEASURES: Final = {
    "ready": _gauge(
        "",
        "1 if traffic may arrive at this pod, as /readyz says; else 0.",
        "sum by (job, namespace) (django_schema_ready)",
    ),
    "state": _gauge(
        "state",
        "State of this pod's gate: 1 for the state that it is in, 0 for the others.",
        "count by (state) (django_schema_state == 1)",
    ),
    "reason": _gauge(
        "reason",
        "Why the gate is as it is: 1 for its reason, 0 for the others (docs/runbook.md).",
        "count by (job, namespace, reason) (django_schema_reason == 1)",
    ),
    "state_changed_timestamp_seconds": _gauge(
        "",
        "When state, reason, or what the gate is held open against last changed.",
        "time() - django_schema_state_changed_timestamp_seconds",
    ),
    "gate_opened_seconds": _gauge(
        "",
        "Time from the sidecar's start to the gate's first opening; absent before.",
        "max by (job, namespace) (django_schema_gate_opened_seconds)",
    ),
    "gate_transitions": Measure(
        Kind.COUNTER,
        ("to",),
        "Changes of the gate's state, by the state entered.",
        'sum by (job, namespace) (increase(django_schema_gate_transitions_total{to="closed"}[1d]))',
    ),
    "expected_migrations": _gauge(
        "database app",
        "Migrations that this release needs before traffic, by app.",
        f"sum by (database) ({BY_DATABASE[:-1]}, app) (django_schema_expected_migrations))",
    ),
    "migrations": _gauge(
        "database app status",
        "Needed migrations by status (applied, pending, hidden); they add up to the expected.",
        f'{BY_DATABASE[:-1]}, app) (django_schema_migrations{{status="pending"}}) > 0',
    ),
    "unexpected_migrations": _gauge(
        "database kind",
        "Recorded rows that this release does not need, by kind: newer (applied by a newer "
        "release), leftover (files deleted or squashed), foreign (another app), duplicate.",
        f'{BY_DATABASE} (django_schema_unexpected_migrations{{kind="newer"}})',
    ),
    "targets": _gauge(
        "database status",
        "Schemas of the database by what the last look found; unknown if it could not be read.",
        f'{BY_DATABASE} (django_schema_targets{{status="behind"}}) > 0',
    ),
    "up": _gauge(
        "database",
        "1 if the last look at every schema of the database succeeded; else 0.",
        "min by (job, namespace, database) (django_schema_up) == 0",
    ),
    "check_duration_seconds": Measure(
        Kind.HISTOGRAM,
        ("database",),
        "Time that one look at django_migrations took, failed looks included.",
        "histogram_quantile(0.95, "
        "sum by (le) (rate(django_schema_check_duration_seconds_bucket[5m])))",
        (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    ),
    "checks": Measure(
        Kind.COUNTER,
        ("database", "result"),
        "Looks at django_migrations by result: ok, or the reason for failing.",
        'sum by (database, result) (rate(django_schema_checks_total{result!="ok"}[5m]))',
    ),
    "watch_started_timestamp_seconds": _gauge(
        "database",
        "When this sidecar began to watch the database.",
        "time() - django_schema_watch_started_timestamp_seconds",
    ),
    "last_check_timestamp_seconds": _gauge(
        "database",
        "When the database was last looked at.",
        "time() - django_schema_last_check_timestamp_seconds",
    ),
    "last_success_timestamp_seconds": _gauge(
        "database",
        "When a look last succeeded; of several schemas the one longest ago.",
        "time() - django_schema_last_success_timestamp_seconds",
    ),
    "last_progress_timestamp_seconds": _gauge(
        "database",
        "When the recorded rows were last seen to change; absent until they do.",
        f"time() - {BY_DATABASE} (django_schema_last_progress_timestamp_seconds)",
    ),
    "last_applied_timestamp_seconds": _gauge(
        "database",
        "When the newest row was recorded, by the clock of whoever ran migrate.",
        f"time() - {BY_DATABASE} (django_schema_last_applied_timestamp_seconds)",
    ),
    "info": Measure(
        Kind.INFO,
        ("release", "manifest", "django"),
        "Release, manifest and Django version that this sidecar expects; always 1.",
        "count by (job, namespace, release, manifest) (django_schema_info)",
    ),
    "build_info": _gauge(
        "version",
        "Version of migration-sidecar; always 1.",
        "count by (version) (django_schema_build_info)",
    ),
}
"""By name, without the prefix (and without the `_total` and `_info` that Prometheus adds)."""


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
        yield from _rows(database, of_database)


def _looks(database: str, targets: Sequence[Target]) -> Iterator[Sample]:
    """Yield what is known of looking; thousands of schemas come down to their counts."""
    found = Tally(map(_status, targets))
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


def _rows(database: str, targets: Sequence[Target]) -> Iterator[Sample]:
    verdicts = [target.verdict for target in targets if target.verdict is not None]
    if not verdicts:
        return
    expected: Tally[str] = Tally()
    pending: Tally[str] = Tally()
    hidden: Tally[str] = Tally()
    for verdict in verdicts:
        expected.update(verdict.expected)
        pending.update(map(app_of, verdict.pending))
        hidden.update(map(app_of, verdict.hidden))
    for app, count in expected.items():
        yield "expected_migrations", (database, app), count
        yield "migrations", (database, app, "applied"), count - pending[app] - hidden[app]
        yield "migrations", (database, app, "pending"), pending[app]
        yield "migrations", (database, app, "hidden"), hidden[app]
    for kind in ("newer", "leftover", "foreign"):
        count = sum(len(getattr(verdict, kind)) for verdict in verdicts)
        yield "unexpected_migrations", (database, kind), count
    duplicates = sum(verdict.duplicates for verdict in verdicts)
    yield "unexpected_migrations", (database, "duplicate"), duplicates


def _status(target: Target) -> str:
    if target.failure is not None or target.verdict is None:
        return "unknown"
    return target.verdict.outcome
