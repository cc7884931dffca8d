"""The answer to "is it current?" as a command."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bench import measure
from bench.stage import PEERS, PYTHON, Stage
from bench.table import Line, ahead, line, within
from support import project

if TYPE_CHECKING:
    from pathlib import Path

FACTORS = {500: 5, 5_000: 5}


def run(stage: Stage) -> Iterator[Line]:
    """Yield the lines."""
    ours: dict[int, list[measure.Cost]] = {size: [] for size in FACTORS}
    django: dict[int, list[measure.Cost]] = {size: [] for size in FACTORS}
    check: list[str | Path] = [project.sidecar(), "check"]
    theirs: list[str | Path] = [PYTHON, PEERS / "django_site.py", "migrate", "--check"]
    for size in FACTORS:
        measure.spawn(theirs, stage.django(size), stage.folder)  # writes the .pyc files
    for at in range(stage.rounds):
        for size in FACTORS:
            ours[size].append(measure.spawn(check, stage.environment(size), stage.folder))
            if size == 500 or at < 3:
                django[size].append(measure.spawn(theirs, stage.django(size), stage.folder))
    for size, factor in FACTORS.items():
        what, peer = f"sidecar check, {size:,} migrations", "manage.py migrate --check"
        count = len(django[size])
        for name, goal, unit in (("wall", ahead(factor), "s"), ("cpu", ahead(factor), "s")):
            yield line(
                f"{what}, {name}",
                *([getattr(cost, name) for cost in ours[size][:count]], unit, goal),
                peer=peer,
                theirs=[getattr(cost, name) for cost in django[size]],
            )
        yield line(
            f"{what}, memory",
            *([cost.resident / 1024 for cost in ours[size][:count]], "MiB", within(0.5)),
            peer=peer,
            theirs=[cost.resident / 1024 for cost in django[size]],
        )
