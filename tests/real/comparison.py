"""Where the sidecar's answer differs from Django's about the same database."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from os.path import commonprefix
from typing import Any

READY = ("current", "ahead")
EXIT = {"current": 0, "ahead": 0, "behind": 10, "inconsistent": 12}
HEADER = "Planned operations:"


@dataclass(frozen=True, slots=True)
class MigrateOutput:
    """Output and exit code of the project's own `manage.py migrate --plan --check`."""

    output: str
    code: int

    @property
    def plan(self) -> list[str]:
        """The migrations it names; their operations are indented."""
        _, _, planned = self.output.partition(HEADER)
        lines = [line for line in planned.splitlines() if line and not line.startswith(" ")]
        return [line.strip() for line in lines]


@dataclass(frozen=True, slots=True)
class Ours:
    """The document that `sidecar check --json` printed, and its exit code."""

    document: Mapping[str, Any]
    code: int

    @property
    def target(self) -> Mapping[str, Any]:
        """The one target."""
        target: Mapping[str, Any]
        (target,) = self.document["targets"]
        return target


def differences(
    theirs: Mapping[str, Any], migrate: MigrateOutput | None, ours: Ours
) -> Iterator[str]:
    """Yield each disagreement, both answers in it."""
    for question, (django, we) in pair_answers(theirs, ours).items():
        if django != we:
            yield f"{question}{render_difference(django, we)}"
    if migrate is not None:
        yield from differences_from_command(theirs, migrate, ours)


def pair_answers(theirs: Mapping[str, Any], ours: Ours) -> dict[str, tuple[object, object]]:
    """Return what is asked: Django's answer, by its executor, and ours."""
    target, verdict = ours.target, ours.target["verdict"]
    asked: dict[str, tuple[object, object]] = {
        "does the graph break": (bool(theirs["error"]), bool(target["graph_error"])),
        "exit code": (EXIT[verdict], ours.code),
        "ready": (verdict in READY, ours.document["ready"]),
    }
    if theirs["error"]:
        return {**asked, "verdict": ("inconsistent", verdict)}
    violation, violations = theirs["violation"], target["inconsistent"]
    named = violation in violations if violation else not violations
    return {
        **asked,
        "plan": (theirs["plan"], target["plan"]),
        "pending": (theirs["plan"], target["pending"]),
        "conflicts": (theirs["conflicts"], target["conflicts"]),
        "violation": (violation, violation if named else violations),
        "unrecorded": (theirs["unrecorded"], sorted(target["unrecorded"])),
        "hidden": (theirs["hidden"], target["hidden"]),
        "expected": (theirs["expected"], target["expected"]),
        "verdict": (derive_verdict(theirs), "ready" if verdict in READY else verdict),
    }


def derive_verdict(theirs: Mapping[str, Any]) -> str:
    """Return the verdict that Django's answers mean (SEMANTICS: the four questions, and ours)."""
    if theirs["violation"] or theirs["conflicts"] or theirs["hidden"]:
        return "inconsistent"
    return "behind" if theirs["plan"] else "ready"


def differences_from_command(
    theirs: Mapping[str, Any], migrate: MigrateOutput, ours: Ours
) -> Iterator[str]:
    """Yield where the command, run for real, contradicts us."""
    refused = bool(theirs["error"] or theirs["violation"] or theirs["conflicts"])
    planned = [] if refused else ours.target["plan"]
    if migrate.plan != planned:
        yield f"migrate --plan{render_difference(migrate.plan, planned)}"
    content = ours.target["verdict"] in READY or (
        bool(ours.target["hidden"]) and not (refused or ours.target["plan"])
    )
    if (migrate.code == 0) != content:
        yield f"migrate --check{render_difference(migrate.code, ours.target)}"


def render_difference(django: object, we: object) -> str:
    """Return both answers; of two lists, what follows their common beginning."""
    if isinstance(django, list) and isinstance(we, list):
        same = len(commonprefix([django, we]))  # noqa: RUF071 - of lists, not of paths
        django, we = (f"{same} alike, then {answer[same:]}" for answer in (django, we))
    return f"\n  Django: {shorten(django)}\n  we:     {shorten(we)}"


def shorten(value: object, limit: int = 600) -> str:
    """Return a value as text that a person can still read."""
    text = str(value)
    return text if len(text) <= limit else f"{text[:limit]} ... ({len(text)} characters)"


def half_applied_rows(
    rows: Sequence[str], squashes: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, list[str]]]:
    """Yield the rows that a fully migrated database could have, had its squashes fared otherwise.

    By hand, since no project ships the releases that would leave them.
    """
    for squash, originals in squashes.items():
        half = originals[: len(originals) // 2]
        began = min(at for at, row in enumerate(rows) if row in {squash, *originals})
        yield f"{squash} unrecorded", remove_rows(rows, {squash})
        yield f"{squash} pruned", remove_rows(rows, set(originals))
        rest = {squash, *originals} - set(half)
        yield f"{squash} half applied beneath what follows", remove_rows(rows, rest)
        if half:
            yield f"stopped half-way through {squash}", [*rows[:began], *half]
            yield f"the same, {squash} recorded", [*rows[:began], *half, squash]
    replaced = {original for originals in squashes.values() for original in originals}
    yield "every squash unrecorded", remove_rows(rows, set(squashes) - replaced)
    yield "every squash pruned", remove_rows(rows, replaced - set(squashes))


def remove_rows(rows: Sequence[str], gone: set[str]) -> list[str]:
    """Return the rows that are left."""
    return [row for row in rows if row not in gone]
