"""A prometheus_client Collector: the gauges of a snapshot."""

from collections import Counter as Tally
from collections.abc import Iterable, Iterator
from typing import Final

from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from sidecar.core.gate.database_status import DatabaseStatus, SchemaGroup
from sidecar.core.gate.snapshot import Identity, Snapshot
from sidecar.core.gate.state import Phase
from sidecar.core.migrations.manifest import app_of
from sidecar.core.reason import Reason
from sidecar.outputs.metrics.definitions import DEFINITIONS, PREFIX, Kind

STATUSES: Final = ("current", "ahead", "behind", "inconsistent", "unknown", "optional")

Sample = tuple[str, tuple[str, ...], float]
"""A metric's name, the values of its labels, its value."""


class SnapshotCollector(Collector):
    """Collects the gauges of the latest snapshot."""

    def __init__(self, version: str) -> None:
        """Take the sidecar's version; there is no snapshot yet."""
        self._version = version
        self._identity: Identity | None = None
        self._samples: tuple[Sample, ...] = ()

    def take(self, snapshot: Snapshot) -> None:
        """Take the latest snapshot; if its gauges cannot be made, there are none from now on."""
        self._identity, self._samples = snapshot.identity, ()
        self._samples = tuple(gauges(snapshot))

    def collect(self) -> Iterable[Metric]:
        """Return each gauge and info metric, without samples as long as they are not known."""
        families: dict[str, GaugeMetricFamily] = {
            name: GaugeMetricFamily(PREFIX + name, each.help, labels=each.labels)
            for name, each in DEFINITIONS.items()
            if each.kind is Kind.GAUGE
        }
        families["build_info"].add_metric([self._version], 1)
        for name, labels, value in self._samples:
            families[name].add_metric(labels, value)
        return [*families.values(), self._info()]

    def _info(self) -> InfoMetricFamily:
        # The client adds the suffix: its samples are django_schema_info.
        definition = DEFINITIONS["info"]
        family = InfoMetricFamily(PREFIX.rstrip("_"), definition.help, labels=[])
        if self._identity is not None:
            identity = self._identity
            values = (identity.release or "", identity.manifest, identity.django)
            family.add_metric([], dict(zip(definition.labels, values, strict=True)))
        return family


def gauges(snapshot: Snapshot) -> Iterator[Sample]:
    """Yield the gauges of a snapshot, as far as they are known."""
    gate = snapshot.gate
    yield "ready", (), gate.ready
    for phase in Phase:
        yield "phase", (phase,), phase is gate.phase
    for reason in Reason:
        yield "reason", (reason,), reason is gate.reason
    yield "phase_changed_timestamp_seconds", (), gate.since + snapshot.epoch
    if gate.opened_at is not None:
        yield "time_to_first_open_seconds", (), gate.opened_at - snapshot.started_at
    for status in snapshot.databases:
        began = snapshot.started_at + snapshot.epoch
        yield "watch_started_timestamp_seconds", (status.database,), began
        yield from _reads(status)
        yield from _runs(status)
        yield from _rows(status)


def _reads(status: DatabaseStatus) -> Iterator[Sample]:
    """Yield what is known of reading; thousands of schemas come down to their counts."""
    name, found = status.database, Tally[str]()
    for group in status.groups:
        state = _state(group)
        counts = group.required or state in {"current", "ahead"}
        found[state if counts else "optional"] += group.count
    for state in STATUSES:
        yield "targets", (name, state), found[state]
    yield "up", (name,), found["unknown"] == 0
    applied = [group.last_applied for group in status.groups if group.last_applied is not None]
    for kind, time in {
        "last_read": status.read_at,
        "last_progress": status.progress_at,
        "last_applied": max(applied, default=None),
        "last_success": _last_success(status),
    }.items():
        if time is not None:
            yield f"{kind}_timestamp_seconds", (name,), time


def _last_success(status: DatabaseStatus) -> float | None:
    times = [group.succeeded_at for group in status.groups]
    known = [time for time in times if time is not None]
    return min(known) if len(known) == len(times) else None


def _runs(status: DatabaseStatus) -> Iterator[Sample]:
    """Yield what is known of running migrations."""
    name = status.database
    readable = any(group.failure is None for group in status.groups)
    run = status.run if readable else None
    yield "migrate_in_progress", (name,), run is not None
    yield "migrate_waiting", (name,), run.waiting if run is not None else 0
    blocked = 0.0
    if run is not None and run.blocked_since is not None:
        blocked = max(0.0, (status.read_at or 0.0) - run.blocked_since)
    yield "migrate_blocked_seconds", (name,), blocked
    batch, applied = status.timeline.batch, status.timeline.applied
    if batch is not None and applied:
        yield "last_batch_duration_seconds", (name,), applied[-1].at - batch.began
        yield "last_batch_migrations", (name,), batch.count


def _rows(status: DatabaseStatus) -> Iterator[Sample]:
    name = status.database
    verdicts = [
        (group.count, group.verdict) for group in status.groups if group.verdict is not None
    ]
    if not verdicts:
        return
    expected: Tally[str] = Tally()
    by_status: dict[str, Tally[str]] = {each: Tally() for each in ("pending", "hidden", "lost")}
    for times, verdict in verdicts:
        for app, count in verdict.expected.items():
            expected[app] += times * count
        for each, tally in by_status.items():
            for app, count in Tally(map(app_of, getattr(verdict, each))).items():
                tally[app] += times * count
    for app, count in expected.items():
        missing = by_status["pending"][app] + by_status["hidden"][app]
        yield "expected_migrations", (name, app), count
        yield "migrations", (name, app, "applied"), count - missing
        for each in ("pending", "hidden"):
            yield "migrations", (name, app, each), by_status[each][app]
    # What is lost may be all of an app, of which nothing is expected then.
    for app in dict.fromkeys([*expected, *by_status["lost"]]):
        yield "migrations", (name, app, "lost"), by_status["lost"][app]
    for kind in ("newer", "leftover", "foreign"):
        count = sum(times * len(getattr(verdict, kind)) for times, verdict in verdicts)
        yield "unexpected_migrations", (name, kind), count
    duplicates = sum(times * verdict.duplicates for times, verdict in verdicts)
    yield "unexpected_migrations", (name, "duplicate"), duplicates


def _state(group: SchemaGroup) -> str:
    if group.failure is not None or group.verdict is None:
        return "unknown"
    return group.verdict.outcome
