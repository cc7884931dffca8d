"""Read once, and show whether the schema is current.

The exit code is the answer: 0 current (or ahead, where that is ready), 10 behind,
11 ahead with --strict or on_ahead=not_ready, 12 inconsistent, 20 not readable.
Colours are for terminals, and not used where NO_COLOR is set.
"""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Final

import click
import msgspec

from sidecar.clock import SystemClock
from sidecar.config import build
from sidecar.config.settings import Settings
from sidecar.core.gate.snapshot import combine
from sidecar.core.migrations.compare import Outcome
from sidecar.core.migrations.explain import explain as explain_migration
from sidecar.core.migrations.manifest import Key
from sidecar.core.migrations.recorded import Recorded
from sidecar.core.views import table
from sidecar.core.views.documents import check_document
from sidecar.core.views.exit_code import exit_code
from sidecar.core.views.json_text import encode_json
from sidecar.core.views.text import escape
from sidecar.databases.dump import Dump
from sidecar.errors import ExitCode
from sidecar.poll import Poller, Reader

SETTINGS: Final = ("manifest", "database", "verdict")

CONFIRMATION_DELAY: Final = 0.5
"""Seconds before an inconsistent history is read again: a migrate run can show half a squash
between two commits."""


OPTIONS: Final = (
    click.Option(["--json", "as_json"], is_flag=True, help="print one JSON object"),
    click.Option(["--strict"], is_flag=True, help=f"exit with {ExitCode.AHEAD} when ahead"),
    click.Option(
        ["--applied"],
        metavar="FILE",
        type=click.Path(),
        help="compare with a dump of the rows (JSON, or CSV of psql; - for stdin), not a database",
    ),
    click.Option(
        ["--explain"], metavar="MIGRATION", help="show why app.migration counts as it does"
    ),
)

TAKES_COMMAND: Final = False


def run(
    settings: Settings,
    *,
    as_json: bool,
    strict: bool,
    applied: str | None,
    explain: str | None,
) -> int:
    """Check once; return the exit code."""
    manifest = build.load_manifest(settings.manifest)
    readers: Mapping[str, Reader] = (
        {build.DEFAULT: Dump(applied)} if applied else build.open_databases(settings, manifest)
    )
    judge, required, clock = (
        build.judge(settings, manifest),
        build.required_schemas(settings),
        SystemClock(),
    )
    pollers = [Poller(name, each, judge, required, clock) for name, each in readers.items()]
    asyncio.run(_poll_all(pollers, again=not applied))
    databases = [poller.status for poller in pollers]
    result = combine(databases, 0.0)
    assert result is not None  # noqa: S101 - every database was read
    code = exit_code(result, build.policy(settings), strict=strict)
    texts = [*databases[0].memory.verdicts]
    if explain and texts:
        keys = Recorded(texts[0]).keys()
        lines = explain_migration(manifest, keys, Key(explain), settings.optional)
        sys.stdout.write("\n".join(map(escape, lines)) + "\n")
    elif as_json:
        document = check_document(databases, result, manifest, ready=code == 0)
        body = msgspec.json.format(encode_json(document), indent=2)
        sys.stdout.buffer.write(body + b"\n")
    else:
        paint = table.painter(sys.stdout, os.environ)
        sys.stdout.write("\n".join(table.format_table(databases, manifest, paint)) + "\n")
    return code


async def _poll_all(pollers: Sequence[Poller], *, again: bool) -> None:
    """Read every database at once; twice, where that may show more."""
    await asyncio.gather(*(_poll(poller, again=again) for poller in pollers))


async def _poll(poller: Poller, *, again: bool) -> None:
    try:
        await poller.poll()
        outcomes = {verdict.outcome for verdict in poller.status.memory.verdicts.values()}
        if Outcome.INCONSISTENT in outcomes and again:
            await asyncio.sleep(CONFIRMATION_DELAY)
            await poller.poll()
    finally:
        await poller.release()
