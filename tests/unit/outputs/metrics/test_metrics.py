"""What a scrape gets: counts, and text that is rendered once for each snapshot."""

import subprocess

import pytest
from msgspec.structs import replace

from factories import snapshot, status
from sidecar.core.gate.state import PollResult
from sidecar.core.migrations.compare import Outcome
from sidecar.core.migrations.manifest import Key
from sidecar.core.migrations.timeline import Applied, Timeline
from sidecar.core.reason import Reason
from sidecar.outputs.metrics.metrics import Metrics, negotiate_content_type
from support import needs
from support.manifests import chain, manifest
from support.project import REPOSITORY

SHOP = manifest(*chain("shop", *(f"{n:04}" for n in range(1, 9))))
GOOD = PollResult(at=1.0, outcome=Outcome.CURRENT)
BEHIND = PollResult(at=2.0, outcome=Outcome.BEHIND)
DOWN = PollResult(at=3.0, failure=Reason.DATABASE_UNREACHABLE)
FIXED, PER_DATABASE, PER_APP = 40, 60, 5
CURRENT = status(*SHOP.nodes, of=SHOP, reads=1, duration=0.002)
PENDING = status(*[*SHOP.nodes][:3], of=SHOP, reads=1, duration=0.002)
FAILED = replace(status(failure=Reason.DATABASE_UNREACHABLE, message="db: refused"), reads=2)


def render(metrics: Metrics, accept: str = "") -> str:
    """Return the text of a scrape."""
    return metrics.render(accept)[0].decode()


@pytest.mark.prometheus
def test_metrics_are_what_promtool_expects() -> None:
    """Names, types and help texts follow the Prometheus conventions."""
    metrics = Metrics("0.1.0")
    metrics.announce(snapshot([CURRENT], GOOD))
    body, content_type = metrics.render("")
    assert content_type.startswith("text/plain")
    needs.program("prometheus", "promtool")
    ended = subprocess.run(
        ["promtool", "check", "metrics"], check=False, input=body, capture_output=True
    )
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_metrics_are_rendered_once_for_each_snapshot() -> None:
    """A second scrape of the same snapshot costs nothing; a new one shows at once."""
    metrics = Metrics("0.1.0")
    metrics.announce(snapshot([PENDING], BEHIND))
    first, _ = metrics.render("")
    assert metrics.render("")[0] is first
    assert b'django_schema_migrations{app="shop",database="default",status="pending"} 5.0' in first
    metrics.announce(snapshot([CURRENT], GOOD))
    assert 'status="pending"} 0.0' in render(metrics)


def test_gauges_that_cannot_be_made_leave_the_counters() -> None:
    """The failure is counted where it shows, and no gauge is older than the counters beside it."""
    metrics = Metrics("0.1.0")
    metrics.announce(snapshot([CURRENT], GOOD))
    with pytest.raises(AttributeError):
        metrics.announce(replace(snapshot([CURRENT], GOOD), databases=(None,)))
    metrics.count_failure("metrics")
    text = render(metrics)
    assert 'django_schema_output_errors_total{output="metrics"} 1.0' in text
    assert "django_schema_build_info{" in text
    assert "django_schema_ready 1.0" not in text


def test_reads_and_transitions_are_counted() -> None:
    """Each read counts once with its result, each change of phase once."""
    metrics = Metrics("0.1.0")
    opened, held = snapshot([CURRENT], GOOD), snapshot([FAILED], GOOD, DOWN)
    for each in (opened, opened, held):
        metrics.announce(each)
    text = render(metrics)
    assert 'django_schema_reads_total{database="default",result="ok"} 1.0' in text
    assert 'reads_total{database="default",result="database_unreachable"} 1.0' in text
    assert 'django_schema_gate_transitions_total{to="holding"} 1.0' in text
    assert 'django_schema_read_duration_seconds_count{database="default"} 2.0' in text
    assert "_created" not in text


def test_a_read_that_missed_a_schema_is_no_ok() -> None:
    """Whichever schema it was, however the names sort."""
    metrics, (good,) = Metrics("0.1.0"), CURRENT.groups
    locked = replace(good, failure=Reason.DATABASE_TIMEOUT)
    for reads, groups in ((1, (good, locked)), (2, (locked, good))):
        metrics.announce(snapshot([replace(CURRENT, groups=groups, reads=reads)], GOOD))
    text = render(metrics)
    assert 'reads_total{database="default",result="database_timeout"} 2.0' in text
    assert 'reads_total{database="default",result="ok"} 0.0' in text


def test_each_migration_applied_between_two_reads_counts_once() -> None:
    """What was there before does not count, what is new counts once, also without a duration."""
    metrics = Metrics("0.1.0")
    before, one, two = (
        Applied(Key(f"shop.000{n}"), 9.0 + n, took) for n, took in ((1, None), (2, 0.3), (3, 20.0))
    )
    for applied, observed in (
        ((before,), 0),
        ((before, one), 1),
        ((before, one), 1),
        ((before, one, two), 2),
    ):
        timeline = Timeline(applied=applied, observed=observed)
        metrics.announce(snapshot([replace(CURRENT, timeline=timeline)], GOOD))
    text = render(metrics)
    assert 'migration_duration_seconds_count{database="default"} 2.0' in text
    assert 'migration_duration_seconds_sum{database="default"} 20.3' in text
    assert 'migration_duration_seconds_bucket{database="default",le="0.5"} 1.0' in text


def test_series_do_not_grow_with_migrations() -> None:
    """The number of series depends on databases and apps, as docs/metrics.md promises."""
    metrics = Metrics("0.1.0")
    metrics.announce(snapshot([PENDING], BEHIND))
    series = [line for line in render(metrics).splitlines() if not line.startswith("#")]
    assert len(series) <= FIXED + PER_DATABASE + PER_APP
    promised = f"**{FIXED} + {PER_DATABASE} per database + {PER_APP} per app of each database**"
    assert promised in (REPOSITORY / "docs" / "metrics.md").read_text(encoding="utf-8")


def test_two_sets_of_metrics_do_not_mix() -> None:
    """Each sidecar in a process has metrics of its own."""
    one, other = Metrics("1"), Metrics("2")
    one.announce(snapshot([CURRENT], GOOD))
    assert "\ndjango_schema_ready 1.0\n" in render(one)
    assert "\ndjango_schema_ready " not in render(other)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", "text/plain"),
        ("*/*", "text/plain"),
        ("text/plain;version=0.0.4", "text/plain"),
        ("application/openmetrics-text;version=1.0.0,text/plain;q=0.5", "application/openmetrics"),
        ("application/openmetrics-text; q=0.0, text/plain", "text/plain"),
        ("application/openmetrics-text;version=9.9.9;escaping=x", "application/openmetrics"),
    ],
)
def test_openmetrics_is_for_whoever_accepts_it(accept: str, expected: str) -> None:
    """And no header makes up a third format."""
    assert negotiate_content_type(accept).startswith(expected)


def test_the_process_is_described_as_prometheus_clients_do() -> None:
    """Memory, descriptors and start time, under the standard names."""
    text = render(Metrics("1"), "application/openmetrics-text")
    assert "\nprocess_resident_memory_bytes " in text
    assert text.endswith("# EOF\n")
