"""Say what a deploy from the OLD manifest to the NEW one will run, break and leave behind.

Exit code 0, or 70 when --fail-on names something that was found. With --rollback the
manifests are NEW and OLD, and the answer is the commands that go back, for the new code.
"""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from sidecar.config.build import load_manifest
from sidecar.config.settings import Settings
from sidecar.core.migrations.diff import Diff, Step, diff
from sidecar.core.migrations.rollback import Rollback, rollback
from sidecar.errors import UsageError

SETTINGS: Final = ()

FOUND: Final = 70

KINDS: Final = ("edited", "removed", "breaking", "irreversible")

UNKNOWN: Final = "touches data: what RunPython and RunSQL do cannot be judged from here"


def add_options(parser: ArgumentParser) -> None:
    """Add the two manifests and how to tell."""
    parser.add_argument("old", type=Path, metavar="OLD", help="manifest of what runs now")
    parser.add_argument("new", type=Path, metavar="NEW", help="manifest of what will run")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--markdown", action="store_true", help="print Markdown, for a pull request"
    )
    parser.add_argument(
        "--rollback", action="store_true", help="print the way back from the first to the second"
    )
    parser.add_argument(
        "--fail-on",
        default="",
        metavar="KINDS",
        help=f"exit with {FOUND} on any of {','.join(KINDS)}",
    )


def run(settings: Settings, options: Namespace, command: list[str]) -> int:  # noqa: ARG001
    """Tell the difference; return the exit code."""
    wanted = [kind.strip() for kind in options.fail_on.split(",") if kind.strip()]
    for kind in wanted:
        if kind not in KINDS:
            raise UsageError(f"--fail-on: {kind!r} is none of {', '.join(KINDS)}")
    if options.rollback:
        return _tell_rollback(rollback(load_manifest(options.old), load_manifest(options.new)))
    found = diff(load_manifest(options.old), load_manifest(options.new))
    if options.json:
        body = msgspec.json.format(msgspec.json.encode(found), indent=2)
        sys.stdout.buffer.write(body + b"\n")
    else:
        lines = markdown(found) if options.markdown else text(found)
        sys.stdout.write("\n".join(lines) + "\n")
    return FOUND if any(_has(found, kind) for kind in wanted) else 0


def _tell_rollback(found: Rollback) -> int:
    """Print the commands, or refuse where one of them would."""
    for key in found.irreversible:
        app, _, name = key.partition(".")
        sys.stderr.write(
            f"diff: {key} cannot be undone by Django; undo by hand what it did, then mark it undone"
            f" with manage.py migrate --fake {app} and the migration before {name}\n"
        )
    if found.irreversible:
        return FOUND
    for app, name in found.commands:
        sys.stdout.write(f"python manage.py migrate --noinput {app} {name}\n")
    return 0


def _has(found: Diff, kind: str) -> bool:
    """Tell whether a kind was found; a rename is a removal that runs a second time."""
    if kind == "removed" and found.renamed:
        return True
    return bool(getattr(found, kind))


def text(found: Diff) -> Iterator[str]:
    """Yield the difference as plain lines."""
    yield f"{found.old} -> {found.new}: {_count(found)}"
    for step in found.steps:
        yield f"  {step.migration}  ({', '.join(step.operations) or 'no operations'})"
        yield from (f"      {remark}" for remark in remarks(step))
    yield from (f"migrate would refuse: {why}" for why in found.refused)
    yield from (f"edited after release: {key}" for key in found.edited)
    yield from (f"renamed, would run again: {old} -> {new}" for old, new in found.renamed)
    yield from (f"removed: {key}" for key in found.removed)


def markdown(found: Diff) -> Iterator[str]:
    """Yield the difference as Markdown."""
    yield f"### Migrations from `{found.old}` to `{found.new}`: {_count(found)}"
    yield ""
    if found.steps:
        yield "| migration | operations | remarks |"
        yield "| --- | --- | --- |"
    for step in found.steps:
        cells = (f"`{step.migration}`", ", ".join(step.operations), "; ".join(remarks(step)))
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
    for title, entries in (
        ("migrate would refuse", found.refused),
        ("edited after release", found.edited),
        ("renamed, would run again", [f"{old} -> {new}" for old, new in found.renamed]),
        ("removed", found.removed),
    ):
        if entries:
            yield f"\n**{title}**\n"
            yield from (f"- `{entry}`" for entry in entries)


def remarks(step: Step) -> Iterator[str]:
    """Yield what an operator should know of a step before the deploy."""
    for what in step.breaks:
        yield f"likely breaks the code that runs now: {what}"
    if not step.reversible:
        yield "cannot be rolled back"
    if step.touches_data:
        yield UNKNOWN
    if not step.atomic:
        yield "not atomic: if it fails half-way, half of it stays"


def _count(found: Diff) -> str:
    count = len(found.steps)
    return "nothing to migrate" if not count else f"{count} migration{'s' * (count > 1)} to run"
