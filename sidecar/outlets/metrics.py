"""Prometheus metrics, collected from the latest snapshot when they are asked for.

Labels are database aliases, apps and closed sets; never a migration's name.
"""

from collections import Counter as Tally
from collections.abc import Iterator
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from sidecar.core.graph import Verdict
from sidecar.core.manifest import app_of
from sidecar.core.snapshot import Snapshot, Target
from sidecar.core.states import Phase

# A `_created` series beside each counter doubles them and tells nothing that is asked for.
disable_created_metrics()  # type: ignore[no-untyped-call]

PREFIX: Final = "django_schema_"
BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics(Collector):
    """One registry of its own; `render` answers a scrape, `announce` takes in a snapshot."""

    def __init__(self, version: str) -> None:
        """Register everything; nothing is known before the first snapshot."""
        self.registry = CollectorRegistry(auto_describe=False)
        self._snapshot: Snapshot | None = None
        self._rendered: dict[str, tuple[bytes, str]] = {}
        self._looks: dict[str, int] = {}
        self._phase: Phase | None = None
        build = Gauge(
            PREFIX + "build_info",
            "Version of migration-sidecar.",
            ["version"],
            registry=self.registry,
        )
        build.labels(version).set(1)
        self._duration = Histogram(
            PREFIX + "check_duration_seconds",
            "Time that one look at django_migrations took, failed looks included.",
            ["database"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._checks = Counter(
            PREFIX + "checks",
            "Looks at django_migrations, by what they found (ok or the reason for failing).",
            ["database", "result"],
            registry=self.registry,
        )
        self._transitions = Counter(
            PREFIX + "gate_transitions",
            "Changes of the gate's state, by the state entered.",
            ["to"],
            registry=self.registry,
        )
        for phase in Phase:
            self._transitions.labels(phase)
        self.registry.register(self)

    def announce(self, snapshot: Snapshot) -> None:
        """Take in what is new; a scrape reads it from memory."""
        self._snapshot = snapshot
        self._rendered.clear()
        for target in snapshot.targets:
            if target.looks != self._looks.get(target.database, 0):
                self._looks[target.database] = target.looks
                self._duration.labels(target.database).observe(target.took)
                self._checks.labels(target.database, target.failure or "ok").inc()
        if snapshot.gate.phase is not self._phase:
            self._phase = snapshot.gate.phase
            self._transitions.labels(self._phase).inc()

    def render(self, accept: str) -> tuple[bytes, str]:
        """Return body and content type for a scrape with this Accept header."""
        encoder, content_type = choose_encoder(accept)
        if content_type not in self._rendered:
            self._rendered[content_type] = encoder(self.registry), content_type
        return self._rendered[content_type]

    def collect(self) -> Iterator[Metric]:
        """Yield what the snapshot says (prometheus_client's Collector)."""
        if self._snapshot is not None:
            yield from _gate(self._snapshot)
            yield from _targets(self._snapshot.targets)


def _gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(PREFIX + name, text, labels=labels)


def _gate(snapshot: Snapshot) -> Iterator[Metric]:
    gate, identity = snapshot.gate, snapshot.identity
    ready = _gauge("ready", "1 if traffic may arrive, as /readyz says.")
    ready.add_metric([], gate.ready)
    yield ready
    state = _gauge("state", "The gate's state, one of them 1.", "state")
    for phase in Phase:
        state.add_metric([phase], phase is gate.phase)
    yield state
    opened = _gauge("gate_opened_seconds", "Time from start to the gate's first opening.")
    if gate.opened_at is not None:
        opened.add_metric([], gate.opened_at - snapshot.started_at)
    yield opened
    info = InfoMetricFamily(PREFIX.rstrip("_"), "Release, manifest and Django version expected.")
    facts = {"release": identity.release or "", "manifest": identity.manifest}
    info.add_metric([], {**facts, "django": identity.django})
    yield info


def _targets(targets: tuple[Target, ...]) -> Iterator[Metric]:
    up = _gauge("up", "1 if the last look at the database succeeded.", "database")
    status = _gauge("targets", "Schemas by what their last look found.", "database", "status")
    times = {
        "last_check_timestamp_seconds": _gauge(
            "last_check_timestamp_seconds", "When the database was last looked at.", "database"
        ),
        "last_success_timestamp_seconds": _gauge(
            "last_success_timestamp_seconds", "When a look last succeeded.", "database"
        ),
        "last_progress_timestamp_seconds": _gauge(
            "last_progress_timestamp_seconds", "When recorded rows last changed.", "database"
        ),
        "last_applied_timestamp_seconds": _gauge(
            "last_applied_timestamp_seconds", "When the newest row was recorded.", "database"
        ),
    }
    for target in targets:
        up.add_metric([target.database], target.failure is None and target.verdict is not None)
        status.add_metric([target.database, _status(target)], 1)
        for family, moment in zip(times.values(), _moments(target), strict=True):
            if moment is not None:
                family.add_metric([target.database], moment)
    yield from (up, status, *times.values())
    yield from _migrations(targets)


def _migrations(targets: tuple[Target, ...]) -> Iterator[Metric]:
    expected = _gauge(
        "expected_migrations", "Migrations that must precede traffic.", "database", "app"
    )
    migrations = _gauge(
        "migrations",
        "Expected migrations by status; the statuses add up to the expected.",
        "database",
        "app",
        "status",
    )
    unexpected = _gauge(
        "unexpected_migrations",
        "Recorded rows that are no surprise to find, or are.",
        "database",
        "kind",
    )
    for target in targets:
        if target.verdict is None:
            continue
        for app, status, count in _by_status(target.verdict):
            family = migrations if status else expected
            family.add_metric([target.database, app, *([status] if status else [])], count)
        for kind, count in _unexpected(target.verdict):
            unexpected.add_metric([target.database, kind], count)
    yield from (expected, migrations, unexpected)


def _by_status(verdict: Verdict) -> Iterator[tuple[str, str, int]]:
    pending = Tally(map(app_of, verdict.pending))
    hidden = Tally(map(app_of, verdict.hidden))
    for app, expected in verdict.expected.items():
        yield app, "", expected
        yield app, "applied", expected - pending[app] - hidden[app]
        yield app, "pending", pending[app]
        yield app, "hidden", hidden[app]


def _unexpected(verdict: Verdict) -> Iterator[tuple[str, int]]:
    yield "newer", len(verdict.newer)
    yield "leftover", len(verdict.leftover)
    yield "foreign", len(verdict.foreign)
    yield "duplicate", verdict.duplicates


def _status(target: Target) -> str:
    if target.failure is not None or target.verdict is None:
        return "unknown"
    return target.verdict.outcome


def _moments(target: Target) -> tuple[float | None, ...]:
    return (target.looked_at, target.succeeded_at, target.progress_at, target.last_applied)
