"""Show what a deploy from the OLD manifest to the NEW one will run, break and leave behind.

Exit code 0, or 70 when --fail-on names something that was found. With --rollback the
manifests are NEW and OLD, and the answer is the commands that go back, for the new code.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import msgspec

from sidecar.config.build import load_manifest
from sidecar.core.migrations.diff import Diff, Step, diff
from sidecar.core.migrations.rollback import Rollback, rollback
from sidecar.errors import ExitCode, UsageError

SETTINGS: Final = ()

KINDS: Final = ("edited", "removed", "breaking", "irreversible")

UNKNOWN: Final = "touches data: what RunPython and RunSQL do cannot be judged from here"


OPTIONS: Final = (
    click.Argument(["old"], metavar="OLD", type=click.Path(path_type=Path)),
    click.Argument(["new"], metavar="NEW", type=click.Path(path_type=Path)),
    click.Option(["--json", "as_json"], is_flag=True, help="print one JSON object"),
    click.Option(["--markdown"], is_flag=True, help="print Markdown, for a pull request"),
    click.Option(
        ["--rollback", "back"], is_flag=True, help="print the way back from the first to the second"
    ),
    click.Option(
        ["--fail-on"],
        default="",
        metavar="KINDS",
        help=f"exit with {ExitCode.DIFF_FOUND} on any of {','.join(KINDS)}",
    ),
)

TAKES_COMMAND: Final = False


def run(*, old: Path, new: Path, as_json: bool, markdown: bool, back: bool, fail_on: str) -> int:
    """Print the difference; return the exit code."""
    wanted = [kind.strip() for kind in fail_on.split(",") if kind.strip()]
    for kind in wanted:
        if kind not in KINDS:
            raise UsageError(f"--fail-on: {kind!r} is none of {', '.join(KINDS)}")
    if back:
        return _print_rollback(rollback(load_manifest(old), load_manifest(new)))
    found = diff(load_manifest(old), load_manifest(new))
    if as_json:
        body = msgspec.json.format(msgspec.json.encode(found), indent=2)
        sys.stdout.buffer.write(body + b"\n")
    else:
        lines = render_markdown(found) if markdown else render_text(found)
        sys.stdout.write("\n".join(lines) + "\n")
    return ExitCode.DIFF_FOUND if any(_has(found, kind) for kind in wanted) else ExitCode.CURRENT


def _print_rollback(found: Rollback) -> int:
    """Print the commands, or refuse where one of them would."""
    for key in found.irreversible:
        app, _, name = key.partition(".")
        sys.stderr.write(
            f"diff: {key} cannot be undone by Django; undo by hand what it did, then mark it undone"
            f" with manage.py migrate --fake {app} and the migration before {name}\n"
        )
    if found.irreversible:
        return ExitCode.DIFF_FOUND
    for app, name in found.commands:
        sys.stdout.write(f"python manage.py migrate --noinput {app} {name}\n")
    return 0


def _has(found: Diff, kind: str) -> bool:
    """Return whether a kind was found; a rename is a removal that runs a second time."""
    if kind == "removed" and found.renamed:
        return True
    return bool(getattr(found, kind))


def render_text(found: Diff) -> Iterator[str]:
    """Yield the difference as plain lines."""
    yield f"{found.old} -> {found.new}: {_count(found)}"
    for step in found.steps:
        yield f"  {step.migration}  ({', '.join(step.operations) or 'no operations'})"
        yield from (f"      {remark}" for remark in remarks(step))
    yield from (f"migrate would refuse: {why}" for why in found.refused)
    yield from (f"edited after release: {key}" for key in found.edited)
    yield from (f"renamed, would run again: {old} -> {new}" for old, new in found.renamed)
    yield from (f"removed: {key}" for key in found.removed)


def render_markdown(found: Diff) -> Iterator[str]:
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
