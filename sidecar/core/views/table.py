"""The table of `sidecar check`: 80 columns, with colour on a terminal only.

The last line is what to do next.
"""

from collections import Counter as Tally
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import zip_longest
from textwrap import wrap
from typing import Final, TextIO

from sidecar.core.gate.database_status import DatabaseStatus, SchemaGroup
from sidecar.core.gate.snapshot import each_group
from sidecar.core.migrations.compare import Verdict
from sidecar.core.migrations.diff import steps
from sidecar.core.migrations.manifest import Manifest
from sidecar.core.views.documents import counts
from sidecar.core.views.next_step import next_step
from sidecar.core.views.text import describe_group, escape, name_group, timestamp

WIDTH: Final = 80
GAP: Final = "  "
MAX_PENDING: Final = 50
"""How many pending migrations are listed."""
MAX_ROWS: Final = 10
"""How many of anything else."""

BOLD, DIM, RED, GREEN, YELLOW, BLUE = "1", "2", "31", "32", "33", "36"
RANK: Final = {
    "inconsistent": RED,
    "behind": RED,
    "unknown": YELLOW,
    "ahead": BLUE,
    "current": GREEN,
}
"""States, the worst first, with their colours."""
KINDS: Final = {
    "hidden": "hidden",
    "lost": "lost",
    "lost_harmless": "harmless",
    "unrecorded": "unrecorded",
    "optional_pending": "optional",
    "newer": "newer",
    "leftover": "leftover",
    "foreign": "foreign",
}

Paint = Callable[[str, str], str]
"""Colours a text: takes the text and an ANSI code."""


def painter(stream: TextIO, environment: Mapping[str, str]) -> Paint:
    """Return what colours text on a terminal whose user wants it (no-color.org)."""
    if not stream.isatty() or environment.get("NO_COLOR") or environment.get("TERM") == "dumb":
        return lambda text, _: text
    return lambda text, code: f"\033[{code}m{text}\033[0m"


def format_table(
    databases: Sequence[DatabaseStatus], manifest: Manifest, paint: Paint
) -> Iterator[str]:
    """Yield the lines of the table; of many schemas the worst few are shown."""
    targets = [*each_group(databases)]
    worst = sorted(targets, key=lambda target: list(RANK).index(_state(target[1])))
    release = f"release {manifest.release}, " if manifest.release else ""
    yield paint(f"{release}manifest {manifest.digest[:19]}", DIM)
    yield from _overview(worst, paint)
    for _, group in worst[:MAX_ROWS]:
        if group.verdict is not None and group.failure is None:
            yield from _pending(group.verdict, manifest, paint)
            yield from _unexpected(group.verdict)
    yield ""
    for database, group in worst[:MAX_ROWS]:
        name = f"{name_group(database, group)}: " if len(targets) > 1 else ""
        line = escape(name + describe_group(database, group))
        text = wrap(line, WIDTH, subsequent_indent=GAP)
        yield from (paint(line, RANK[_state(group)]) for line in text)
    yield paint(f"next: {next_step(worst[0][1].reason, databases)}", BOLD)


def _state(group: SchemaGroup) -> str:
    if group.failure is not None or group.verdict is None:
        return "unknown"
    return group.verdict.outcome


def _overview(targets: Sequence[tuple[DatabaseStatus, SchemaGroup]], paint: Paint) -> Iterator[str]:
    rows = [["DATABASE", "SCHEMA", "STATE", "APPLIED", "LAST MIGRATED"]]
    for database, group in targets[:MAX_ROWS]:
        expected, applied = counts(group.verdict) if group.verdict is not None else (0, 0)
        count = f"{applied} of {expected}" if _state(group) != "unknown" else "?"
        when = (timestamp(group.last_applied) or "-").partition(".")[0].replace("T", " ")
        when += "Z" if when != "-" else ""
        schema = group.schema or (f"{group.count} schemas" if group.schemas else "-")
        rows.append([database.database, schema, _state(group), count, when])
    grid = _grid(rows, (12, 16, 12, 12, 20))
    yield paint(next(grid), BOLD)
    for line in grid:
        state = next((state for state in RANK if f"{GAP}{state} " in line), None)
        yield line if state is None else line.replace(state, paint(state, RANK[state]), 1)
    rest: Tally[str] = Tally()
    for _, group in targets[MAX_ROWS:]:
        rest[_state(group)] += group.count
    if rest:
        yield "and " + ", ".join(f"{rest[state]} {state}" for state in RANK if rest[state])


def _pending(verdict: Verdict, manifest: Manifest, paint: Paint) -> Iterator[str]:
    pending = verdict.pending
    if not pending:
        return
    ahead = steps([manifest.nodes[key] for key in pending[:MAX_PENDING]])
    number, name = len(str(len(ahead))), min(44, max(len(step.migration) for step in ahead))
    yield ""
    yield paint(f"{'#':>{number}}{GAP}{'PENDING':{name}}{GAP}WHAT IT DOES", BOLD)
    for at, step in enumerate(ahead, 1):
        key = wrap(f"{at:>{number}}{GAP}{step.migration}", WIDTH, subsequent_indent=GAP * 3)
        operations = ", ".join(step.operations)
        beside = f"{at:>{number}}{GAP}{step.migration:{name}}{GAP}{operations}".rstrip()
        yield from [beside] if len(beside) <= WIDTH else [*key, *_below(operations)]
        for risk in step.risks:
            yield from (paint(line, YELLOW) for line in _below(f"! {risk}", hanging=GAP))
    if len(pending) > MAX_PENDING:
        yield f"and {len(pending) - MAX_PENDING} more (check --json names all)"


def _below(text: str, hanging: str = "") -> list[str]:
    indent = GAP * 3
    return wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent + hanging)


def _unexpected(verdict: Verdict) -> Iterator[str]:
    found: dict[str, list[str]] = {
        "refused": [
            f"{child} is applied before {parent}" for child, parent in verdict.inconsistent
        ],
        "conflict": [", ".join(group) for group in verdict.conflicts],
    }
    found |= {title: list(getattr(verdict, name)) for name, title in KINDS.items()}
    found["duplicate"] = [f"{verdict.duplicates} rows"] if verdict.duplicates else []
    rows = []
    for title, entries in found.items():
        shown = entries[:MAX_ROWS]
        if len(entries) > MAX_ROWS:
            shown.append(f"and {len(entries) - MAX_ROWS} more")
        rows += [[title if at == 0 else "", entry] for at, entry in enumerate(shown)]
    if rows:
        yield ""
        yield from _grid(rows, (10, WIDTH))


def _grid(rows: Sequence[Sequence[str]], limits: Sequence[int]) -> Iterator[str]:
    """Yield rows as lines that fit; a cell too wide goes on below."""
    widths = [
        min(limit, max(len(cell) for cell in column))
        for limit, column in zip(limits, zip(*rows, strict=True), strict=True)
    ]
    widths[-1] = min(widths[-1], WIDTH - sum(widths[:-1]) - len(GAP) * (len(widths) - 1))
    for row in rows:
        cells = [wrap(escape(cell), width) for cell, width in zip(row, widths, strict=True)]
        for parts in zip_longest(*cells, fillvalue=""):
            padded = (part.ljust(width) for part, width in zip(parts, widths, strict=True))
            yield GAP.join(padded).rstrip()
