"""Read once, and show whether the schema is current.

The exit code is the answer: 0 current (or ahead, where that is ready), 10 behind,
11 ahead with --strict or on_ahead=not_ready, 12 inconsistent, 20 not readable.
Colours are for terminals, and not used where NO_COLOR is set.
"""

import asyncio
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import click
import msgspec

from sidecar.config import build as inputs
from sidecar.config.settings import Settings
from sidecar.core.gate.database_status import Needs, Watched, begin, failed, read
from sidecar.core.gate.snapshot import overall
from sidecar.core.migrations.compare import Outcome, Verdict
from sidecar.core.migrations.manifest import Key
from sidecar.core.migrations.recorded import Recorded
from sidecar.core.reason import Reason
from sidecar.core.views import documents as document
from sidecar.core.views import table
from sidecar.core.views.exit_code import exit_code
from sidecar.databases.base import Database
from sidecar.errors import DatabaseError, ExitCode

SETTINGS: Final = ("manifest", "database", "verdict")

SECOND_LOOK: Final = 0.5
"""Seconds before an inconsistent history is looked at again: a run of migrate can show
half a squash between two commits."""

Judge = Callable[[Sequence[Key]], Verdict]


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
    manifest = inputs.load_manifest(settings.manifest)
    databases: dict[str, Database] = (
        {inputs.DEFAULT: _dump(applied)} if applied else inputs.open_databases(settings, manifest)
    )
    judge = inputs.judge(settings, manifest)
    needs = inputs.needs(settings)
    watched = asyncio.run(_look(databases, judge, needs, again=not applied))
    targets = [target for one in watched for target in one.targets]
    look = overall(targets, 0.0)
    assert look is not None  # noqa: S101 - every target was looked at
    code = exit_code(look, inputs.policy(settings), strict=strict)
    texts = [*watched[0].verdicts]
    if explain and texts:
        from sidecar.core.migrations import explain as explaining  # noqa: PLC0415 - seldom asked for

        keys = Recorded(texts[0]).keys()
        lines = explaining.explain(manifest, keys, Key(explain), settings.optional)
        sys.stdout.write("\n".join(lines) + "\n")
    elif as_json:
        body = msgspec.json.encode(document.check_document(targets, look, manifest, code == 0))
        sys.stdout.buffer.write(msgspec.json.format(body, indent=2) + b"\n")
    else:
        paint = table.painter(sys.stdout, os.environ)
        sys.stdout.write("\n".join(table.lines(targets, manifest, paint)) + "\n")
    return code


def _dump(file: str) -> Database:
    from sidecar.databases.dump import Dump  # noqa: PLC0415 - seldom asked for

    return Dump(file)


async def _look(
    databases: Mapping[str, Database], judge: Judge, needs: Needs, *, again: bool
) -> list[Watched]:
    """Look at every database at once; twice, where that may tell more."""
    looks = (_look_at(name, found, judge, needs, again) for name, found in databases.items())
    return await asyncio.gather(*looks)


async def _look_at(
    name: str,
    database: Database,
    judge: Judge,
    needs: Needs,
    again: bool,  # noqa: FBT001
) -> Watched:
    watched = begin(name, needs)
    try:
        watched = read(watched, await database.read(), judge, opened=False)
        outcomes = {verdict.outcome for verdict in watched.verdicts.values()}
        if Outcome.INCONSISTENT in outcomes and again:
            await asyncio.sleep(SECOND_LOOK)
            watched = read(watched, await database.read(), judge, opened=False)
    except DatabaseError as error:
        watched = failed(watched, Reason(error.reason), str(error))
    finally:
        await database.release()
    looked = (msgspec.structs.replace(target, looked_at=0.0) for target in watched.targets)
    return msgspec.structs.replace(watched, targets=tuple(looked))
