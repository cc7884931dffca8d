"""Prometheus metrics, collected from the latest snapshot when they are asked for.

What is measured, and what it means, stands in `core.measures`.
"""

from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from sidecar.core.batch import Applied
from sidecar.core.measures import FAILURES, MEASURES, PREFIX, Kind
from sidecar.core.samples import samples
from sidecar.core.snapshot import Snapshot, Target
from sidecar.core.states import Phase

# A `_created` series beside each counter doubles them and tells nothing that is asked for.
disable_created_metrics()  # type: ignore[no-untyped-call]

OURS: Final = {"build_info"}
"""The one gauge that no snapshot holds."""


Encoder = Callable[[CollectorRegistry], bytes]
Written = dict[str, tuple[Metric, bytes]]
"""What was written of each family, in their order."""


class _Family(CollectorRegistry):
    """One family, as an encoder wants it."""

    def __init__(self, metric: Metric) -> None:
        super().__init__(auto_describe=False)
        self._metric = metric

    def collect(self) -> Iterator[Metric]:
        yield self._metric


class Metrics(Collector):
    """One registry of its own; `render` answers a scrape, `announce` takes in a snapshot."""

    def __init__(self, version: str) -> None:
        """Register everything; nothing is known before the first snapshot."""
        self.registry = CollectorRegistry(auto_describe=False)
        self._snapshot: Snapshot | None = None
        self._rendered: dict[str, tuple[bytes, str]] = {}
        self._written: dict[str, Written] = {}
        self._looks: dict[str, int] = {}
        self._seen: dict[str, int] = {}
        self._phase: Phase | None = None
        build = MEASURES["build_info"]
        Gauge(PREFIX + "build_info", build.meaning, build.labels, registry=self.registry).labels(
            version
        ).set(1)
        self._duration = self._histogram("check_duration_seconds")
        self._checks = self._counter("checks")
        self._migrations = self._histogram("migration_duration_seconds")
        self._transitions = self._counter("gate_transitions")
        for phase in Phase:
            self._transitions.labels(phase)
        self.registry.register(self)

    def _counter(self, name: str) -> Counter:
        measure = MEASURES[name]
        return Counter(PREFIX + name, measure.meaning, measure.labels, registry=self.registry)

    def _histogram(self, name: str) -> Histogram:
        measure = MEASURES[name]
        return Histogram(
            PREFIX + name,
            measure.meaning,
            measure.labels,
            buckets=measure.buckets,
            registry=self.registry,
        )

    def announce(self, snapshot: Snapshot) -> None:
        """Take in what is new; a scrape reads it from memory."""
        self._snapshot = snapshot
        self._rendered.clear()
        for target in snapshot.targets:
            self._take_in(target)
        if snapshot.gate.phase is not self._phase:
            self._phase = snapshot.gate.phase
            self._transitions.labels(self._phase).inc()

    def _take_in(self, target: Target) -> None:
        database = target.database
        if database not in self._looks:
            # A series that begins with its first failure has no increase to show.
            for result in ("ok", *FAILURES):
                self._checks.labels(database, result)
        if target.looks != self._looks.get(database, 0):
            self._duration.labels(database).observe(target.took)
            self._checks.labels(database, target.failure or "ok").inc()
        self._looks[database] = target.looks
        durations = self._migrations.labels(database)
        for applied in unseen(target, self._seen.get(database, 0)):
            if applied.took is not None:
                durations.observe(applied.took)
        self._seen[database] = target.seen

    def render(self, accept: str) -> tuple[bytes, str]:
        """Return body and content type for a scrape with this Accept header."""
        encoder, content_type = choose_encoder(accept)
        if content_type not in self._rendered:
            written = self._written.setdefault(content_type, {})
            self._rendered[content_type] = self._write(encoder, written), content_type
        return self._rendered[content_type]

    def _write(self, encoder: Encoder, written: Written) -> bytes:
        """Return all families; those that are as they were need not be written anew.

        Most are, from one look to the next, and writing is what a scrape costs.
        """
        end = encoder(CollectorRegistry())
        for metric in self.registry.collect():
            before = written.get(metric.name)
            if before is None or before[0] != metric:
                written[metric.name] = metric, encoder(_Family(metric)).removesuffix(end)
        return b"".join(text for _, text in written.values()) + end

    def collect(self) -> Iterator[Metric]:
        """Yield what the snapshot says (prometheus_client's Collector)."""
        if self._snapshot is None:
            return
        families = {
            name: GaugeMetricFamily(PREFIX + name, measure.meaning, labels=measure.labels)
            for name, measure in MEASURES.items()
            if measure.kind is Kind.GAUGE and name not in OURS
        }
        for name, labels, value in samples(self._snapshot):
            families[name].add_metric(labels, value)
        yield from families.values()
        identity = self._snapshot.identity
        info = InfoMetricFamily(PREFIX.rstrip("_"), MEASURES["info"].meaning)
        facts = {"release": identity.release or "", "manifest": identity.manifest}
        info.add_metric([], {**facts, "django": identity.django})
        yield info


def unseen(target: Target, known: int) -> tuple[Applied, ...]:
    """Return what was seen being applied since so many were known, as far as it is kept."""
    new = target.seen - known
    return target.timeline[-new:] if new > 0 else ()
