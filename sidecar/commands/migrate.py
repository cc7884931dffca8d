"""Run migrate, one process at a time, and report.

    sidecar migrate [-- python manage.py migrate --noinput]

Waits for its turn (an advisory lock); ends at once when nothing is pending; otherwise runs
the command, and fails if anything required is still pending after it. The exit code is the
command's when that fails, else what `sidecar check` would say.
"""

import asyncio
import logging
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Final

import msgspec

from sidecar.commands import inputs, logs
from sidecar.commands.migration import Migration
from sidecar.core import report as told
from sidecar.core.report import Report
from sidecar.settings import Settings

LOG = logging.getLogger("sidecar.migrate")

SETTINGS: Final = ("manifest", "database", "verdict", "migrate", "log")

COMMAND: Final = ("python", "manage.py", "migrate", "--noinput")


def add_options(parser: ArgumentParser) -> None:
    """Add where the report goes."""
    parser.add_argument("--json", metavar="FILE", help="write the report here (- for stdout)")


def run(settings: Settings, options: Namespace, command: list[str]) -> int:
    """Migrate if need be; return the exit code."""
    logs.configure(settings)
    manifest = inputs.load_manifest(settings.manifest)
    report = asyncio.run(Migration(settings, manifest, command or [*COMMAND]).run())
    for line in told.lines(report, manifest.nodes):
        LOG.log(logging.ERROR if report.exit_code else logging.INFO, "%s", line)
    if options.json:
        _write(options.json, msgspec.json.encode(told.document(report, manifest.nodes)))
    if settings.textfile or settings.pushgateway:
        _tell_prometheus(settings, report)
    return report.exit_code


def _write(name: str, body: bytes) -> None:
    text = msgspec.json.format(body, indent=2) + b"\n"
    if name == "-":
        sys.stdout.buffer.write(text)
        sys.stdout.flush()
        return
    try:
        Path(name).write_bytes(text)
    except OSError as error:
        LOG.warning("the report is lost: %s: %s", name, error.strerror)


def _tell_prometheus(settings: Settings, report: Report) -> None:
    from sidecar.outlets import run_metrics  # noqa: PLC0415 - seldom wanted, and slow to import

    metrics = run_metrics.registry(report, "default")
    try:
        if settings.textfile:
            run_metrics.write(settings.textfile, metrics)
    except OSError as error:
        LOG.warning("no metrics were written to %s: %s", settings.textfile, error.strerror)
    try:
        if settings.pushgateway:
            run_metrics.push(settings.pushgateway, settings.pushgateway_job, metrics)
    except (OSError, ValueError) as error:
        # The error may repeat the address, and that may hold a password.
        LOG.warning("no metrics were pushed: %s", type(error).__name__)
