"""What a scrape gets: counts taken from each snapshot, rendered once until the next one."""

from collections.abc import Callable
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.openmetrics import exposition as openmetrics

from sidecar.core.gate.database_status import DatabaseStatus
from sidecar.core.gate.snapshot import Snapshot
from sidecar.core.gate.state import Phase
from sidecar.core.migrations.timeline import Applied
from sidecar.outputs.metrics.collector import SnapshotCollector
from sidecar.outputs.metrics.definitions import DEFINITIONS, FAILURES, OUTPUTS, PREFIX

TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"

ENCODERS: Final[dict[str, Callable[[CollectorRegistry], bytes]]] = {
    TEXT: generate_latest,
    openmetrics.CONTENT_TYPE_LATEST: openmetrics.generate_latest,
}


class Metrics:
    """`announce` takes in a snapshot, `render` answers a scrape."""

    def __init__(self, version: str) -> None:
        """Begin to count; nothing is known before the first snapshot."""
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._collector = SnapshotCollector(version)
        self._registry.register(self._collector)
        self._reads = self._counter("reads")
        self._transitions = self._counter("gate_transitions")
        self._durations = self._histogram("read_duration_seconds")
        self._migrations = self._histogram("migration_duration_seconds")
        self._output_errors = self._counter("output_errors")
        ProcessCollector(registry=self._registry)
        for phase in Phase:
            self._transitions.labels(phase)
        for output in OUTPUTS:
            self._output_errors.labels(output)
        self._known: dict[str, DatabaseStatus] = {}
        self._phase: Phase | None = None
        self._rendered: dict[str, bytes] = {}

    def announce(self, snapshot: Snapshot) -> None:
        """Take in what is new; a scrape reads it from memory."""
        self._rendered.clear()
        self._collector.take(snapshot)
        for status in snapshot.databases:
            self._count(status)
        if snapshot.gate.phase is not self._phase:
            self._phase = snapshot.gate.phase
            self._transitions.labels(self._phase).inc()

    def count_failure(self, output: str) -> None:
        """Count a failure of an output."""
        self._output_errors.labels(output).inc()
        self._rendered.clear()

    def render(self, accept: str) -> tuple[bytes, str]:
        """Return body and content type for a scrape with this Accept header."""
        content_type = negotiate_content_type(accept)
        if content_type not in self._rendered:
            self._rendered[content_type] = ENCODERS[content_type](self._registry)
        return self._rendered[content_type], content_type

    def _count(self, status: DatabaseStatus) -> None:
        name, before = status.database, self._known.get(status.database)
        if before is None:
            self._durations.labels(name)
            self._migrations.labels(name)
            # A series that begins with its first failure has no increase to show.
            for result in ("ok", *FAILURES):
                self._reads.labels(name, result)
        if status.reads != (before.reads if before else 0):
            self._durations.labels(name).observe(status.duration)
            self._reads.labels(name, status.failure or "ok").inc()
        for applied in newly_applied(status, before.timeline.observed if before else 0):
            if applied.took is not None:
                self._migrations.labels(name).observe(applied.took)
        self._known[name] = status

    def _counter(self, name: str) -> Counter:
        each = DEFINITIONS[name]
        return Counter(PREFIX + name, each.help, each.labels, registry=self._registry)

    def _histogram(self, name: str) -> Histogram:
        each = DEFINITIONS[name]
        return Histogram(
            PREFIX + name, each.help, each.labels, buckets=each.buckets, registry=self._registry
        )


def negotiate_content_type(accept: str) -> str:
    """Return OpenMetrics where an Accept header has it and does not refuse it, else text."""
    for part in accept.split(","):
        media, *parameters = (word.strip() for word in part.split(";"))
        refused = any(word.rstrip("0") in {"q=", "q=0."} for word in parameters)
        if media == "application/openmetrics-text" and not refused:
            return openmetrics.CONTENT_TYPE_LATEST
    return TEXT


def newly_applied(status: DatabaseStatus, known: int) -> tuple[Applied, ...]:
    """Return what was applied between reads since so many were known, as far as it is kept."""
    new = status.timeline.observed - known
    return status.timeline.applied[-new:] if new > 0 else ()
