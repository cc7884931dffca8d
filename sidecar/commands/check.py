"""Look once, and say whether the schema is current.

The exit code is the answer: 0 current (or ahead, where that is ready), 10 behind,
11 ahead with --strict or on_ahead=not_ready, 12 inconsistent, 20 not readable.
Colours are for terminals, and not used where NO_COLOR is set.
"""

import asyncio
import os
import sys
from argparse import ArgumentParser, Namespace
from typing import Final

import msgspec

from sidecar.commands import inputs, table
from sidecar.core import document
from sidecar.core.explain import explain
from sidecar.core.graph import Outcome
from sidecar.core.manifest import Key, Manifest
from sidecar.core.recorded import Recorded
from sidecar.core.snapshot import Target
from sidecar.core.states import Reason
from sidecar.databases import Database
from sidecar.databases.dump import Dump
from sidecar.errors import DatabaseError
from sidecar.settings import Settings

SETTINGS: Final = ("manifest", "database", "verdict")

SECOND_LOOK: Final = 0.5
"""Seconds before an inconsistent history is looked at again: a run of migrate can show
half a squash between two commits."""

EXIT: Final = {Outcome.BEHIND: 10, Outcome.AHEAD: 11, Outcome.INCONSISTENT: 12}


def add_options(parser: ArgumentParser) -> None:
    """Add how the answer is told."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--strict", action="store_true", help="exit with 11 when ahead")
    parser.add_argument(
        "--applied",
        metavar="FILE",
        help="compare with a dump of the rows (JSON, or CSV of psql; - for stdin), not a database",
    )
    parser.add_argument(
        "--explain", metavar="MIGRATION", help="say why app.migration counts as it does"
    )


def run(settings: Settings, options: Namespace, command: list[str]) -> int:  # noqa: ARG001
    """Check once; return the exit code."""
    manifest = inputs.load_manifest(settings.manifest)
    database = Dump(options.applied) if options.applied else inputs.open_database(settings)
    target, recorded = asyncio.run(_look(database, settings, manifest))
    code = exit_code(target, settings, strict=options.strict)
    if options.explain and recorded is not None:
        key = Key(options.explain)
        lines = explain(manifest, recorded.keys(), key, settings.optional)
        sys.stdout.write("\n".join(lines) + "\n")
    elif options.json:
        body = msgspec.json.encode(_document(target, manifest, ready=code == 0))
        sys.stdout.write(msgspec.json.format(body.decode(), indent=2) + "\n")
    else:
        paint = table.painter(sys.stdout, os.environ)
        sys.stdout.write("\n".join(table.lines([target], manifest, paint)) + "\n")
    return code


async def _look(
    database: Database, settings: Settings, manifest: Manifest
) -> tuple[Target, Recorded | None]:
    judge = inputs.judge(settings, manifest)
    try:
        recorded = await database.read()
        verdict = judge(recorded.keys())
        if verdict.outcome is Outcome.INCONSISTENT and not isinstance(database, Dump):
            await asyncio.sleep(SECOND_LOOK)
            recorded = await database.read()
            verdict = judge(recorded.keys())
    except DatabaseError as error:
        reason = Reason(error.reason)
        return Target(database="default", failure=reason, message=str(error)), None
    finally:
        await database.release()
    target = Target(
        database="default",
        schema=recorded.schema,
        verdict=verdict,
        note=recorded.note,
        run=recorded.run,
        last_applied=recorded.last_applied,
    )
    return target, recorded


def exit_code(target: Target, settings: Settings, *, strict: bool) -> int:
    """Return the exit code that a target means under these settings."""
    if target.verdict is None:
        return DatabaseError.exit_code
    outcome = target.verdict.outcome
    if outcome is Outcome.AHEAD and settings.on_ahead == "ready" and not strict:
        return 0
    if outcome is Outcome.BEHIND and target.verdict.pruned and settings.accept_pruned:
        return 0
    return EXIT.get(outcome, 0)


def _document(target: Target, manifest: Manifest, *, ready: bool) -> document.Document:
    told = document.target_document(target)
    return {
        "ready": ready,
        "verdict": told["verdict"],
        "reason": told["reason"],
        "release": manifest.release,
        "manifest": manifest.digest,
        "targets": [told],
    }
