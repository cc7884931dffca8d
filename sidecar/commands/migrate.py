"""Run migrate, one process at a time, and report.

    sidecar migrate [-- python manage.py migrate --noinput]

Waits for the migration lock (an advisory lock); ends at once when nothing is pending; otherwise
runs the command, and fails if anything required is still pending after it. The exit code is the
command's when that fails, else that of `sidecar check`.
"""

import asyncio
import logging
import sys
import time
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Final

import msgspec

from sidecar.config import build as inputs
from sidecar.config.settings import Settings
from sidecar.core.migrations.manifest import Manifest
from sidecar.databases.base import StatementTimeouts
from sidecar.errors import Interrupted, SidecarError, WaitTimeout
from sidecar.migrate.report import Report, Result, build_document, format_report
from sidecar.migrate.runner import Options, Runner
from sidecar.outputs import log_format

LOG = logging.getLogger("sidecar.migrate")

SETTINGS: Final = ("manifest", "database", "verdict", "migrate", "log")

COMMAND: Final = ("python", "manage.py", "migrate", "--noinput")


def add_options(parser: ArgumentParser) -> None:
    """Add where the report goes."""
    parser.add_argument("--json", metavar="FILE", help="write the report here (- for stdout)")


def run(settings: Settings, options: Namespace, command: list[str]) -> int:
    """Migrate if need be; return the exit code."""
    log_format.configure(settings.log_format, settings.log_level)
    manifest = inputs.load_manifest(settings.manifest)
    began = time.time()
    alias = () if settings.database == inputs.DEFAULT else ("--database", settings.database)
    try:
        runner = _build_runner(settings, manifest, command or [*COMMAND, *alias])
        report = asyncio.run(runner.run())
    except SidecarError as error:
        _write_report(settings, options, _report_error(error, settings, began), manifest)
        raise
    for line in format_report(report, manifest.nodes):
        LOG.log(logging.ERROR if report.exit_code else logging.INFO, "%s", line)
    _write_report(settings, options, report, manifest)
    return report.exit_code


def _build_runner(settings: Settings, manifest: Manifest, command: list[str]) -> Runner:
    statement_timeouts = StatementTimeouts(
        lock_timeout=settings.lock_timeout_per_statement,
        statement_timeout=settings.statement_timeout,
    )
    options = Options(
        command=command,
        database=settings.database,
        required=inputs.needs(settings),
        policy=inputs.policy(settings),
        lock_timeout=settings.lock_timeout,
        statement_timeouts=statement_timeouts,
        pgoptions=settings.pgoptions,
        retries=settings.retries,
    )
    address = inputs.address_of(settings, manifest, settings.database)
    return Runner(options, address, inputs.judge(settings, manifest), manifest)


def _report_error(error: SidecarError, settings: Settings, began: float) -> Report:
    """Return the report of a migrate run that an error ended."""
    interrupted = isinstance(error, Interrupted)
    return Report(
        result=Result.INTERRUPTED if interrupted else Result.FAILED,
        exit_code=error.exit_code,
        began=began,
        ended=time.time(),
        waited=time.time() - began if isinstance(error, WaitTimeout) else 0.0,
        error=str(error),
        database=settings.database,
    )


def _write_report(
    settings: Settings, options: Namespace, report: Report, manifest: Manifest
) -> None:
    """Write the JSON document, and push the metrics, where each is asked for."""
    if options.json:
        _write_json(options.json, msgspec.json.encode(build_document(report, manifest.nodes)))
    if settings.pushgateway:
        _push_metrics(settings.pushgateway, settings.pushgateway_job, report)


def _write_json(name: str, body: bytes) -> None:
    text = msgspec.json.format(body, indent=2) + b"\n"
    if name == "-":
        sys.stdout.buffer.write(text)
        sys.stdout.flush()
        return
    try:
        Path(name).write_bytes(text)
    except OSError as error:
        LOG.warning("the report is lost: %s: %s", name, error.strerror)


def _push_metrics(url: str, job: str, report: Report) -> None:
    from sidecar.migrate import push_metrics  # noqa: PLC0415 - seldom wanted, and slow to import

    metrics = push_metrics.build_registry(report, report.database)
    try:
        push_metrics.push(url, job, metrics)
    except (OSError, ValueError) as error:
        # The error may repeat the address, and that may hold a password.
        LOG.warning("no metrics were pushed: %s", type(error).__name__)
