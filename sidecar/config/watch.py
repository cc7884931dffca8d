"""Build the watcher that the settings describe."""

import random

from sidecar.clock import SystemClock
from sidecar.config import build
from sidecar.config.settings import Settings
from sidecar.core.gate.machine import initial_gate
from sidecar.core.migrations.manifest import Manifest
from sidecar.outputs.failures import OutputFailures
from sidecar.watcher import Watcher


def build_watcher(
    settings: Settings, manifest: Manifest, failures: OutputFailures, *, was_open: bool = False
) -> Watcher:
    """Return a watcher of every database; `was_open`: the gate was open before a restart.

    Raises UsageError if a database URL is invalid.
    """
    clock = SystemClock()
    return Watcher(
        build.open_databases(settings, manifest),
        build.judge(settings, manifest),
        identity=build.identity(manifest),
        gate=initial_gate(clock.monotonic(), was_open=was_open),
        policy=build.policy(settings),
        clock=clock,
        random=random.random,
        open_interval=settings.interval,
        report_failure=failures.report,
        required=build.required_schemas(settings),
    )
