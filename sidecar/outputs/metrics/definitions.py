"""What is measured: every metric with its labels, its meaning and a question that it answers.

Labels are database aliases, apps and closed sets; never a migration's name, a schema's or a
tenant's. What lies in a database is told by every replica alike: aggregate it with `max by`.
"""

from enum import StrEnum
from typing import Final

import msgspec

from sidecar.core.reason import Reason

PREFIX: Final = "django_schema_"

FAILURES: Final = tuple(reason for reason in Reason if reason.startswith("database_"))
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
    "migrate_in_progress": _gauge(
        "database",
        "1 while a sidecar migrate has its turn on the database; else 0.",
        f"{BY_DATABASE} (django_schema_migrate_in_progress) == 1",
    ),
    "migrate_waiting": _gauge(
        "database",
        "Runs of sidecar migrate that wait for their turn.",
        f"{BY_DATABASE} (django_schema_migrate_waiting)",
    ),
    "migrate_blocked_seconds": _gauge(
        "database",
        "How long the running sidecar migrate had waited for a lock at the last look; else 0.",
        f"{BY_DATABASE} (django_schema_migrate_blocked_seconds) > 30",
    ),
    "migration_duration_seconds": Measure(
        Kind.HISTOGRAM,
        ("database",),
        "Time of each migration that was seen being applied: the gap to the one recorded before "
        "it. The first of a batch has none, unless sidecar migrate tells its start (then with "
        "the start of Django); whatever ran between two migrations counts for the second.",
        f"{BY_DATABASE[:-1]}, le) (increase(django_schema_migration_duration_seconds_bucket[1h]))",
        (0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14400),
    ),
    "last_batch_duration_seconds": _gauge(
        "database",
        "Time from the start, where known, or else the end of the first migration to the end of "
        "the last, of those last seen being applied in one go; so far, while some are pending.",
        f"{BY_DATABASE} (django_schema_last_batch_duration_seconds)",
    ),
    "last_batch_migrations": _gauge(
        "database",
        "Migrations that were last seen being applied in one go; so far, while some are pending.",
        f"{BY_DATABASE} (django_schema_last_batch_migrations)",
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
