"""Run migrate, one process at a time, and report.

    sidecar migrate [-- python manage.py migrate --noinput]

Waits for the migration lock (an advisory lock); ends at once when nothing is pending;
otherwise runs the command, and fails if anything required is still pending after it. The
exit code is the command's when that fails, else that of `sidecar check`.
"""

import asyncio
import logging
import sys
import time
from pathlib import Path
from typing import Final

import click
import msgspec

from sidecar.config import build as inputs
from sidecar.config.settings import Settings
from sidecar.core.migrations.manifest import Manifest
from sidecar.core.views.json_text import encode_json
from sidecar.databases.base import StatementTimeouts
from sidecar.errors import Interrupted, SidecarError, WaitTimeout
from sidecar.migrate import report as reports
from sidecar.migrate.report import Report, Result
from sidecar.migrate.runner import Options, Runner

LOG = logging.getLogger("sidecar.migrate")

SETTINGS: Final = ("manifest", "database", "verdict", "migrate", "log")

COMMAND: Final = ("python", "manage.py", "migrate", "--noinput")


OPTIONS: Final = (
    click.Option(
        ["--database"],
        metavar="ALIAS",
        default=inputs.DEFAULT,
        help=f"the alias of DATABASES to migrate (default: {inputs.DEFAULT})",
    ),
    click.Option(
        ["--json", "report_file"],
        metavar="FILE",
        type=click.Path(),
        help="write the report here (- for stdout)",
    ),
)

TAKES_COMMAND: Final = True


def run(settings: Settings, command: list[str], database: str, report_file: str | None) -> int:
    """Migrate if need be; return the exit code."""
    manifest = inputs.load_manifest(settings.manifest)
    began = time.time()
    alias = () if database == inputs.DEFAULT else ("--database", database)
    try:
        migration = _migration(settings, manifest, database, command or [*COMMAND, *alias])
        report = asyncio.run(migration.run())
    except SidecarError as error:
        _publish(settings, report_file, _ended(error, database, began), manifest)
        raise
    for line in reports.format_report(report, manifest.nodes):
        LOG.log(logging.ERROR if report.exit_code else logging.INFO, "%s", line)
    _publish(settings, report_file, report, manifest)
    return report.exit_code


def _migration(settings: Settings, manifest: Manifest, database: str, command: list[str]) -> Runner:
    statement_timeouts = StatementTimeouts(
        lock_timeout=settings.lock_timeout_per_statement,
        statement_timeout=settings.statement_timeout,
    )
    options = Options(
        command=command,
        database=database,
        required=inputs.required_schemas(settings),
        policy=inputs.policy(settings),
        lock_timeout=settings.lock_timeout,
        statement_timeouts=statement_timeouts,
        pgoptions=settings.pgoptions,
        retries=settings.retries,
    )
    address = inputs.address_of(settings, manifest, database)
    return Runner(options, address, inputs.judge(settings, manifest), manifest)


def _ended(error: SidecarError, database: str, began: float) -> Report:
    """Return the report of a run that an error ended."""
    interrupted = isinstance(error, Interrupted)
    return Report(
        result=Result.INTERRUPTED if interrupted else Result.FAILED,
        exit_code=error.exit_code,
        began=began,
        ended=time.time(),
        waited=time.time() - began if isinstance(error, WaitTimeout) else 0.0,
        error=str(error),
        database=database,
    )


def _publish(
    settings: Settings, report_file: str | None, report: Report, manifest: Manifest
) -> None:
    """Write the report wherever it was asked for."""
    if report_file:
        _write(report_file, encode_json(reports.build_document(report, manifest.nodes)))
    if settings.pushgateway:
        _push(settings.pushgateway, settings.pushgateway_job, report)


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


def _push(url: str, job: str, report: Report) -> None:
    from sidecar.migrate import push_metrics  # noqa: PLC0415 - seldom wanted, and slow to import

    metrics = push_metrics.build_registry(report, report.database)
    try:
        push_metrics.push(url, job, metrics)
    except (OSError, ValueError) as error:
        # The error may repeat the address, and that may hold a password.
        LOG.warning("no metrics were pushed: %s", type(error).__name__)
