"""Every metric of the sidecar, once: its labels, its help, and an example query.

Labels are database aliases, apps and closed sets; never a migration's name, a schema's or a
tenant's. Series about a database are the same in every replica: aggregate them with `max by`.
"""

from enum import StrEnum
from typing import Final

import msgspec

from sidecar.core.reason import Reason

PREFIX: Final = "django_schema_"

OUTPUTS: Final = ("http", "log", "metrics", "readyz", "state_file", "status")
FAILURES: Final = tuple(reason for reason in Reason if reason.startswith("database_"))
BY_DATABASE: Final = "max by (job, namespace, database)"


class Kind(StrEnum):
    """A metric's type in Prometheus."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"
    INFO = "info"


class Definition(msgspec.Struct, frozen=True):
    """One metric; `query` is an example in PromQL, `buckets` a histogram's upper bounds."""

    kind: Kind
    labels: tuple[str, ...]
    help: str
    query: str
    buckets: tuple[float, ...] = ()


def _gauge(labels: str, text: str, query: str) -> Definition:
    return Definition(Kind.GAUGE, tuple(labels.split()), text, query)


DEFINITIONS: Final = {
    "ready": _gauge(
        "",
        "1 if traffic may arrive at this pod, as /readyz answers; else 0.",
        "sum by (job, namespace) (django_schema_ready)",
    ),
    "phase": _gauge(
        "phase",
        "Phase of this pod's gate: 1 for the phase that it is in, 0 for the others.",
        "count by (phase) (django_schema_phase == 1)",
    ),
    "reason": _gauge(
        "reason",
        "Why the gate is as it is: 1 for its reason, 0 for the others (docs/runbook.md).",
        "count by (job, namespace, reason) (django_schema_reason == 1)",
    ),
    "phase_changed_timestamp_seconds": _gauge(
        "",
        "When phase, reason, or what the gate is held open against last changed.",
        "time() - django_schema_phase_changed_timestamp_seconds",
    ),
    "time_to_first_open_seconds": _gauge(
        "",
        "Time from the sidecar's start to the gate's first opening; absent before.",
        "max by (job, namespace) (django_schema_time_to_first_open_seconds)",
    ),
    "gate_transitions": Definition(
        Kind.COUNTER,
        ("to",),
        "Changes of the gate's phase, by the phase entered.",
        'sum by (job, namespace) (increase(django_schema_gate_transitions_total{to="closed"}[1d]))',
    ),
    "expected_migrations": _gauge(
        "database app",
        "Migrations that this release requires before traffic, by app.",
        f"sum by (database) ({BY_DATABASE[:-1]}, app) (django_schema_expected_migrations))",
    ),
    "migrations": _gauge(
        "database app status",
        "Required migrations by status: applied, pending, hidden, which add up to the expected, "
        "and lost.",
        f'{BY_DATABASE[:-1]}, app) (django_schema_migrations{{status="pending"}}) > 0',
    ),
    "unexpected_migrations": _gauge(
        "database kind",
        "Recorded rows that this release does not require, by kind: newer (applied by a newer "
        "release), leftover (files deleted or squashed), foreign (another app), duplicate.",
        f'{BY_DATABASE} (django_schema_unexpected_migrations{{kind="newer"}})',
    ),
    "targets": _gauge(
        "database status",
        "Schemas of the database by what the last read found; unknown if it could not be read.",
        f'{BY_DATABASE} (django_schema_targets{{status="behind"}}) > 0',
    ),
    "up": _gauge(
        "database",
        "1 if the last read of every schema of the database succeeded; else 0.",
        "min by (job, namespace, database) (django_schema_up) == 0",
    ),
    "read_duration_seconds": Definition(
        Kind.HISTOGRAM,
        ("database",),
        "Time that one read of django_migrations took, failed reads included.",
        "histogram_quantile(0.95, "
        "sum by (le) (rate(django_schema_read_duration_seconds_bucket[5m])))",
        (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    ),
    "reads": Definition(
        Kind.COUNTER,
        ("database", "result"),
        "Reads of django_migrations by result: ok, or the reason for failing.",
        'sum by (database, result) (rate(django_schema_reads_total{result!="ok"}[5m]))',
    ),
    "watch_started_timestamp_seconds": _gauge(
        "database",
        "When this sidecar began to watch the database.",
        "time() - django_schema_watch_started_timestamp_seconds",
    ),
    "last_read_timestamp_seconds": _gauge(
        "database",
        "When the database was last read, successfully or not.",
        "time() - django_schema_last_read_timestamp_seconds",
    ),
    "last_success_timestamp_seconds": _gauge(
        "database",
        "When a read last succeeded; of several schemas the one longest ago.",
        "time() - django_schema_last_success_timestamp_seconds",
    ),
    "last_progress_timestamp_seconds": _gauge(
        "database",
        "When the recorded rows last changed between two reads; absent until they do.",
        f"time() - {BY_DATABASE} (django_schema_last_progress_timestamp_seconds)",
    ),
    "last_applied_timestamp_seconds": _gauge(
        "database",
        "When the newest row was recorded, by the clock of whoever ran migrate.",
        f"time() - {BY_DATABASE} (django_schema_last_applied_timestamp_seconds)",
    ),
    "migrate_in_progress": _gauge(
        "database",
        "1 while a sidecar migrate holds the migration lock of the database; else 0.",
        f"{BY_DATABASE} (django_schema_migrate_in_progress) == 1",
    ),
    "migrate_waiting": _gauge(
        "database",
        "Runs of sidecar migrate that wait for the migration lock.",
        f"{BY_DATABASE} (django_schema_migrate_waiting)",
    ),
    "migrate_blocked_seconds": _gauge(
        "database",
        "How long the running sidecar migrate had waited for a database lock at the last read; "
        "else 0.",
        f"{BY_DATABASE} (django_schema_migrate_blocked_seconds) > 30",
    ),
    "migration_duration_seconds": Definition(
        Kind.HISTOGRAM,
        ("database",),
        "Time of each migration that was applied between two reads: the gap to the one recorded "
        "before it. The first of a batch has none, unless sidecar migrate shows its start (then "
        "with the start of Django); whatever ran between two migrations counts for the second.",
        f"{BY_DATABASE[:-1]}, le) (increase(django_schema_migration_duration_seconds_bucket[1h]))",
        (0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14400),
    ),
    "last_batch_duration_seconds": _gauge(
        "database",
        "Time from the start, where known, or else the end of the first migration to the end of "
        "the last, of those last applied in one batch; so far, while some are pending.",
        f"{BY_DATABASE} (django_schema_last_batch_duration_seconds)",
    ),
    "last_batch_migrations": _gauge(
        "database",
        "Migrations that were last applied in one batch; so far, while some are pending.",
        f"{BY_DATABASE} (django_schema_last_batch_migrations)",
    ),
    "output_errors": Definition(
        Kind.COUNTER,
        ("output",),
        "Failures of an output, while the others went on: what was announced to it (http, log, "
        "metrics, state_file) or an answer (readyz, with ?verbose; status; metrics).",
        "sum by (job, namespace, output) (increase(django_schema_output_errors_total[15m])) > 0",
    ),
    "info": Definition(
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
