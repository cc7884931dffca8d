"""The table: a line for each comparison, with target and verdict, as markdown and as JSON."""

import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from bench.measure import Figure

UNITS: dict[str, tuple[float, str]] = {
    "s": (1, "s"),
    "ms": (1e3, "ms"),
    "µs": (1e6, "µs"),
    "MiB": (1, "MiB"),
    "/s": (1, "/s"),
    "%": (100, "%"),
    "": (1, ""),
}

HEAD = ("what", "peer or floor", "theirs", "ours (least – most)", "ratio", "target", "met")


@dataclass(frozen=True)
class Target:
    """What must hold, of the ratio or of our figure."""

    text: str
    holds: Callable[[float], bool]
    of_ratio: bool = True


def ahead(factor: float) -> Target:
    """We must be better by at least this factor."""
    return Target(f"≥ {factor:g} × better", lambda ratio: ratio >= factor)


def within(factor: float) -> Target:
    """We may cost at most so many times the floor."""
    return Target(f"≤ {factor:g} ×", lambda ratio: ratio <= factor)


def at_most(limit: float, unit: str) -> Target:
    """Our figure may be at most this, in the unit of the line."""
    scale, name = UNITS[unit]
    return Target(f"≤ {limit:g} {name}", lambda figure: figure * scale <= limit, of_ratio=False)


@dataclass(frozen=True)
class Line:
    """One comparison; figures in seconds, MiB, per second or as a fraction."""

    what: str
    peer: str
    theirs: Figure | None
    ours: Figure
    ratio: float | None
    unit: str
    target: Target | None

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None where there is none, or nothing to compare with."""
        if self.target is None:
            return None
        figure = self.ratio if self.target.of_ratio else self.ours.median
        return None if figure is None else self.target.holds(figure)


def line(  # noqa: PLR0913 - one argument a column
    what: str,
    ours: Sequence[float],
    unit: str,
    target: Target | None = None,
    *,
    peer: str = "",
    theirs: Sequence[float] = (),
    more_is_better: bool = False,
) -> Line:
    """Return the line of these rounds; ratios are taken round by round, then their median.

    Beside a floor (a target of at most, or none) the ratio is ours to theirs, beside a peer
    how many times better ours is.
    """
    ratio = None
    if theirs:
        better = target is not None and target.of_ratio and "better" in target.text
        pairs = zip(ours, theirs, strict=True)
        turned = ((b, a) if better and not more_is_better else (a, b) for a, b in pairs)
        ratio = statistics.median(a / b for a, b in turned)
    return Line(
        what, peer, Figure.of(theirs) if theirs else None, Figure.of(ours), ratio, unit, target
    )


def markdown(lines: Sequence[Line]) -> str:
    """Return the table for people."""
    rows = [HEAD, ("---",) * len(HEAD), *map(_cells, lines)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def document(lines: Sequence[Line], machine: str) -> str:
    """Return the table for scripts."""
    rows = [
        {**asdict(line), "target": line.target.text if line.target else None, "met": line.met}
        for line in lines
    ]
    return json.dumps({"machine": machine, "lines": rows}, indent=2, ensure_ascii=False) + "\n"


def _cells(line: Line) -> tuple[str, ...]:
    scale, name = UNITS[line.unit]
    spread = f"{_short(line.ours.least * scale)} – {_short(line.ours.most * scale)}"
    met = {True: "yes", False: "**no**", None: ""}[line.met]
    return (
        line.what,
        line.peer or "–",
        f"{_short(line.theirs.median * scale)} {name}" if line.theirs else "–",
        f"{_short(line.ours.median * scale)} {name} ({spread})",
        f"{_short(line.ratio)} ×" if line.ratio is not None else "–",
        line.target.text if line.target else "–",
        met,
    )


def _short(number: float) -> str:
    return f"{number:.0f}" if abs(number) >= 100 else f"{number:.3g}"
