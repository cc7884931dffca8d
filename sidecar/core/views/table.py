"""What `check` shows a person: a table of 80 columns, with colour on a terminal only.

The last line says what to do next.
"""

from collections import Counter as Tally
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import zip_longest
from textwrap import wrap
from typing import Final, TextIO

from sidecar.core.gate.snapshot import Target
from sidecar.core.migrations.compare import Verdict
from sidecar.core.migrations.diff import steps
from sidecar.core.migrations.manifest import Manifest
from sidecar.core.views.documents import counts, timestamp
from sidecar.core.views.text import next_step, place, target_line

WIDTH: Final = 80
GAP: Final = "  "
SHOWN: Final = 50
"""How many pending migrations are listed."""
FEW: Final = 10
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
    "unrecorded": "unrecorded",
    "optional_pending": "optional",
    "newer": "newer",
    "leftover": "leftover",
    "foreign": "foreign",
}

Paint = Callable[[str, str], str]
"""Makes a text look like something: text and ANSI code."""


def painter(stream: TextIO, environment: Mapping[str, str]) -> Paint:
    """Return what colours text where a person looks on and wants it (no-color.org)."""
    if not stream.isatty() or environment.get("NO_COLOR") or environment.get("TERM") == "dumb":
        return lambda text, _: text
    return lambda text, code: f"\033[{code}m{text}\033[0m"


def lines(targets: Sequence[Target], manifest: Manifest, paint: Paint) -> Iterator[str]:
    """Yield the whole answer; of many schemas the worst few are shown."""
    worst = sorted(targets, key=lambda target: list(RANK).index(_state(target)))
    release = f"release {manifest.release}, " if manifest.release else ""
    yield paint(f"{release}manifest {manifest.digest[:19]}", DIM)
    yield from _overview(worst, paint)
    for target in worst[:FEW]:
        if target.verdict is not None and target.failure is None:
            yield from _pending(target, manifest, paint)
            yield from _surprises(target.verdict)
    yield ""
    for target in worst[:FEW]:
        name = f"{place(target)}: " if len(targets) > 1 else ""
        text = wrap(_clean(name + target_line(target)), WIDTH, subsequent_indent=GAP)
        yield from (paint(line, RANK[_state(target)]) for line in text)
    yield paint(f"next: {next_step(worst[0].reason, worst)}", BOLD)


def _state(target: Target) -> str:
    if target.failure is not None or target.verdict is None:
        return "unknown"
    return target.verdict.outcome


def _overview(targets: Sequence[Target], paint: Paint) -> Iterator[str]:
    rows = [["DATABASE", "SCHEMA", "STATE", "APPLIED", "LAST MIGRATED"]]
    for target in targets[:FEW]:
        expected, applied = counts(target.verdict) if target.verdict is not None else (0, 0)
        count = f"{applied} of {expected}" if _state(target) != "unknown" else "?"
        when = (timestamp(target.last_applied) or "-").partition(".")[0].replace("T", " ")
        when += "Z" if target.last_applied is not None else ""
        schema = target.schema or (f"{target.count} schemas" if target.schemas else "-")
        rows.append([target.database, schema, _state(target), count, when])
    grid = _grid(rows, (12, 16, 12, 12, 20))
    yield paint(next(grid), BOLD)
    for line in grid:
        state = next((state for state in RANK if f"{GAP}{state} " in line), None)
        yield line if state is None else line.replace(state, paint(state, RANK[state]), 1)
    rest: Tally[str] = Tally()
    for target in targets[FEW:]:
        rest[_state(target)] += target.count
    if rest:
        yield "and " + ", ".join(f"{rest[state]} {state}" for state in RANK if rest[state])


def _pending(target: Target, manifest: Manifest, paint: Paint) -> Iterator[str]:
    assert target.verdict is not None  # noqa: S101 - asked for by the only caller
    pending = target.verdict.pending
    if not pending:
        return
    ahead = steps([manifest.nodes[key] for key in pending[:SHOWN]])
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
    if len(pending) > SHOWN:
        yield f"and {len(pending) - SHOWN} more (check --json names all)"


def _below(text: str, hanging: str = "") -> list[str]:
    indent = GAP * 3
    return wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent + hanging)


def _surprises(verdict: Verdict) -> Iterator[str]:
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
        shown = entries[:FEW]
        if len(entries) > FEW:
            shown.append(f"and {len(entries) - FEW} more")
        rows += [[title if at == 0 else "", entry] for at, entry in enumerate(shown)]
    if rows:
        yield ""
        yield from _grid(rows, (10, WIDTH))


def _clean(text: str) -> str:
    """Return what a database or a server said without what could command a terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _grid(rows: Sequence[Sequence[str]], limits: Sequence[int]) -> Iterator[str]:
    """Yield rows as lines that fit; a cell too wide goes on below."""
    widths = [
        min(limit, max(len(cell) for cell in column))
        for limit, column in zip(limits, zip(*rows, strict=True), strict=True)
    ]
    widths[-1] = min(widths[-1], WIDTH - sum(widths[:-1]) - len(GAP) * (len(widths) - 1))
    for row in rows:
        cells = [wrap(_clean(cell), width) for cell, width in zip(row, widths, strict=True)]
        for parts in zip_longest(*cells, fillvalue=""):
            padded = (part.ljust(width) for part, width in zip(parts, widths, strict=True))
            yield GAP.join(padded).rstrip()
