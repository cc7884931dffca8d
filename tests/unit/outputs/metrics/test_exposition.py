"""What is written for Prometheus, read back by prometheus_client."""

from collections.abc import Callable, Iterable

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_open
from prometheus_client.parser import text_string_to_metric_families as read_text
from prometheus_client.registry import Collector

from sidecar.outputs.metrics.collector import Durations
from sidecar.outputs.metrics.definitions import FAILURES, MEASURES, Kind, Measure
from sidecar.outputs.metrics.exposition import END, OPEN_METRICS, TEXT, Sample, chosen, written

READERS: dict[str, Callable[[str], Iterable[Metric]]] = {TEXT: read_text, OPEN_METRICS: read_open}
NASTY = 'a"b\\c\nd,e}=é'


class Collected(Collector):
    """Metrics that were read, for prometheus_client to write."""

    def __init__(self, found: list[Metric]) -> None:
        """Take them."""
        self.found = found

    def collect(self) -> list[Metric]:
        """Return them."""
        return self.found


def samples_of(name: str, measure: Measure) -> list[Sample]:
    """Return samples of a measure, whose labels hold whatever a label may hold."""
    if measure.kind is Kind.HISTOGRAM:
        durations = Durations(name)
        for seconds in (0.0, 0.001, 0.3, 1e9):
            durations.observe(seconds)
        return [*durations.samples(NASTY)]
    value = 1 if measure.kind is Kind.INFO else 1732310000.25
    return [("", tuple(NASTY for _ in measure.labels), value)]


def body(content_type: str) -> str:
    """Return every measure, with samples."""
    each = MEASURES.items()
    families = (written(n, m, samples_of(n, m), content_type) for n, m in each)
    return (b"".join(families) + END[content_type]).decode()


@pytest.mark.parametrize("content_type", [TEXT, OPEN_METRICS])
def test_prometheus_client_reads_what_it_would_have_written(content_type: str) -> None:
    """Names, types, help texts, labels and values survive, whatever stands in a label."""
    read = READERS[content_type]
    found = [*read(body(content_type))]
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Collected(found))
    encoder, _ = choose_encoder(content_type)
    assert [*read(encoder(registry).decode())] == found
    assert {NASTY} == {
        v for f in found for s in f.samples for k, v in s.labels.items() if k != "le"
    }


@pytest.mark.parametrize("content_type", [TEXT, OPEN_METRICS])
def test_each_measure_is_there_with_its_type_and_its_meaning(content_type: str) -> None:
    """The names are those of the documentation, with the endings that Prometheus adds."""
    found = {family.name: family for family in READERS[content_type](body(content_type))}
    for name, measure in MEASURES.items():
        kind, named = str(measure.kind), f"django_schema_{name}"
        if measure.kind is Kind.INFO:  # The text format knows no such type.
            kind, named = ("gauge", named) if content_type == TEXT else ("info", "django_schema")
        assert (found[named].type, found[named].documentation) == (kind, measure.meaning)


def test_openmetrics_is_for_whoever_asks_for_it() -> None:
    """As Prometheus asks, which prefers it; a browser and curl get plain text."""
    prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2"
    assert chosen(prometheus) == OPEN_METRICS
    assert chosen("text/html, application/openmetrics-text") == OPEN_METRICS
    assert chosen("application/openmetrics-text; q=0.0, text/plain") == TEXT
    assert {chosen(""), chosen("*/*"), chosen("text/plain;version=0.0.4")} == {TEXT}


def test_a_bucket_holds_what_took_at_most_so_long() -> None:
    """Bounds belong to their bucket, and what is longer than all to +Inf alone."""
    durations = Durations("check_duration_seconds")
    for seconds in (0.001, 0.0011, 11.0):
        durations.observe(seconds)
    found = {labels[1:]: value for suffix, labels, value in durations.samples("x")}
    assert (found["0.001",], found["0.0025",], found["10.0",], found["+Inf",]) == (1, 2, 2, 3)


def test_every_failure_has_a_series_from_the_start() -> None:
    """A series that begins with its first failure has no increase to show."""
    assert set(FAILURES) == {"database_unreachable", "database_denied", "database_timeout"}
