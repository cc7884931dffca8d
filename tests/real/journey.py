"""One project's way from an empty database to a migrated one, both sides asked at each stop."""

import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from real.comparison import half_applied_rows
from real.environment import Failed, variables_without_database
from real.projects import Project
from real.sides import Stop
from support.postgres import Server
from support.project import REPOSITORY

BAKER = REPOSITORY / "sidecar" / "baker"
CUTS = 10


@dataclass(slots=True)
class Report:
    """What was asked of one project, and what came of it."""

    django: str = ""
    python: str = ""
    migrations: int = 0
    squashes: int = 0
    cuts: int = 0
    squash_points: int = 0
    seconds: float = 0
    disagreements: list[str] = field(default_factory=list)


def run_journey(project: Project, python: str, folder: Path, server: Server) -> Report:
    """Bake, migrate, stop, compare; return what was found."""
    began = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "real_settings.py").write_text(project.module)
    bake(project, python, folder)
    report = Report()
    compare_at_cuts(Stop(project, python, folder, server), report)
    if report.squashes:
        compare_through_originals(Stop(project, python, folder, server), report)
    report.seconds = time.monotonic() - began
    return report


def bake(project: Project, python: str, folder: Path) -> None:
    """Bake as a Dockerfile would: the plain folder, the project's Python, no database."""
    ended = subprocess.run(
        [python, str(BAKER), "--settings=real_settings", "-o", "manifest.json"],
        check=False,
        cwd=folder,
        env=variables_without_database(project, folder),
        capture_output=True,
        text=True,
    )
    if ended.returncode:
        raise Failed(f"cannot be baked: {ended.stderr}")


def compare_at_cuts(stop: Stop, report: Report) -> None:
    """Migrate cut by cut, the first before anything; then vary the rows of the squashes."""
    with stop.side as side:
        facts = side.ask("facts")
        report.django, report.python = facts["django"], facts["python"]
        report.migrations, report.squashes = len(facts["files"]), len(facts["squashes"])
        size, done = len(side.ask("answer")["plan"]), 0
        for cut in range(CUTS):
            wanted = size * cut // (CUTS - 1)
            if wanted > done:
                done += len(side.ask("migrate", wanted - done))
            report.disagreements += stop.compare(f"{done} of {size}", command=True)
            report.cuts += 1
        if report.squashes:
            for where, rows in half_applied_rows(stop.rows(), facts["squashes"]):
                stop.record(rows)
                report.disagreements += stop.compare(where)
                report.squash_points += 1


def compare_through_originals(stop: Stop, report: Report) -> None:
    """Migrate anew, through each squash by its originals, as a database that is older than it."""
    with stop.side as side:
        facts = side.ask("facts")
        whole = {
            squash: originals
            for squash, originals in facts["squashes"].items()
            if len(originals) > 1 and set(originals) <= set(facts["files"])
        }
        for squash in [key for key in side.ask("answer")["plan"] if key in whole]:
            side.ask("migrate", side.ask("answer")["plan"].index(squash))
            originals = whole[squash]
            side.ask("migrate_originals", squash, originals[(len(originals) - 1) // 2])
            report.disagreements += stop.compare(f"half-way through {squash}", command=True)
            side.ask("migrate_originals", squash, originals[-1])
            report.disagreements += stop.compare(f"through the originals of {squash}", command=True)
            report.squash_points += 2
