"""Push the metrics of a migrate run to a Pushgateway.

A run is over before Prometheus could scrape it, which is what a Pushgateway is for
(prometheus.io/docs/practices/pushing).
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final
from urllib.parse import unquote, urlsplit, urlunsplit

from prometheus_client import CollectorRegistry, Gauge, Histogram
from prometheus_client.exposition import basic_auth_handler, default_handler, push_to_gateway

from sidecar.migrate.report import Report, Result
from sidecar.outputs.metrics.definitions import PREFIX

DURATION_BUCKETS: Final = (0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600)

PUSH_TIMEOUT: Final = 10.0
"""Seconds that the Pushgateway is given to answer."""


def build_registry(report: Report, database: str) -> CollectorRegistry:
    """Return the metrics of one run; only success and time if the command was never started."""
    found = CollectorRegistry(auto_describe=False)

    def gauge(name: str, text: str, value: float) -> None:
        metric = Gauge(f"{PREFIX}migrate_last_run_{name}", text, ["database"], registry=found)
        metric.labels(database).set(value)

    good = report.result in {Result.APPLIED, Result.NOTHING_TO_DO}
    gauge("success", "1 if the last run of sidecar migrate left nothing pending.", good)
    gauge("timestamp_seconds", "When the last run of sidecar migrate ended.", report.ended)
    if not report.attempts:
        return found
    gauge(
        "duration_seconds",
        "Time that the last run of sidecar migrate took, without waiting for the migration lock.",
        report.ended - report.began,
    )
    gauge("waited_seconds", "Time that it waited for the migration lock.", report.waited)
    gauge("applied", "Migrations that it applied.", len(report.applied))
    durations = Histogram(
        PREFIX + "migrate_last_run_migration_duration_seconds",
        "Time that its migrations took, from the gaps between the times at which they were "
        "recorded; the first one includes the start of the command.",
        ["database"],
        buckets=DURATION_BUCKETS,
        registry=found,
    )
    for applied in report.applied:
        if applied.took is not None:
            durations.labels(database).observe(applied.took)
    return found


def push(url: str, job: str, metrics: CollectorRegistry) -> None:
    """Replace what the gateway has of this job.

    Raises OSError, or ValueError if the URL is invalid; the text of either may hold the URL.
    """
    address, handler = _split_credentials(url)
    push_to_gateway(address, job=job, registry=metrics, timeout=PUSH_TIMEOUT, handler=handler)


def _split_credentials(url: str) -> tuple[str, Callable[..., Any]]:
    """Return the URL without user and password, and the handler that sends them."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    if not user:
        return bare, default_handler
    return bare, partial(basic_auth_handler, username=user, password=password)
