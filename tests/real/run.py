"""Ask real projects: run.py [NAME ...] [--lock].

Bakes each project, migrates it on a real PostgreSQL, stops at ten points of its plan and at
every way in which one of its squashes can be half-applied, and compares `sidecar check --json`
with the answers of the project's own Django. Prints a row a project; exits with 1 if anything
disagrees. With REQUIRE_ALL=1 in the environment, a project that cannot be installed fails too.
"""

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import TextIO

if __name__ == "__main__":  # as a script, this folder hides the packages beside it
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from real.environment import FOLDER, Failed, NotInstalled, install, lock
from real.journey import Report, run_journey
from real.projects import PROJECTS, Project
from support.postgres import Server

ROW = "{:13} {:8} {:8} {:>10} {:>8} {:>10} {:>13} {:>7} {:>13}"
TITLES = ("project", "Django", "Python", "migrations", "squashes", "cut points")
TITLES_AFTER = ("squash points", "seconds", "disagreements")


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = [project.name for project in PROJECTS]
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names)}")
    parser.add_argument("--lock", action="store_true", help="pin the requirements anew, with uv")
    options = parser.parse_args()
    if unknown := set(options.names) - set(names):
        parser.error(f"no such project: {', '.join(sorted(unknown))}")
    chosen = [project for project in PROJECTS if project.name in (options.names or names)]
    if options.lock:
        for project in chosen:
            lock(project)
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the server ends with us
    failed = False
    show(ROW.format(*TITLES, *TITLES_AFTER))
    with Server() as server:
        for project in chosen:
            row, good = ask(project, server)
            show(row)
            failed |= not good
    return int(failed)


def ask(project: Project, server: Server) -> tuple[str, bool]:
    """Ask one project; return its row, and whether it is good."""
    show(f"{project.name}: installing ...", sys.stderr)
    try:
        python = install(project)
    except NotInstalled as error:
        return f"{project.name}: NOT RUN, {error}", os.environ.get("REQUIRE_ALL") != "1"
    show(f"{project.name}: migrating ...", sys.stderr)
    try:
        report = run_journey(project, str(python), FOLDER / project.name, server)
    except Failed as error:
        show(f"{project.name}: {error}")
        return f"{project.name}: FAILED, see above", False
    for disagreement in report.disagreements:
        show(f"{project.name}: {disagreement}")
    return format_row(project, report), not report.disagreements


def format_row(project: Project, report: Report) -> str:
    """Return the row that sums up what was run."""
    counts = (report.migrations, report.squashes, report.cuts, report.squash_points)
    seconds = round(report.seconds)
    head = (project.name, report.django, report.python)
    return ROW.format(*head, *counts, seconds, len(report.disagreements))


def show(text: str, file: TextIO = sys.stdout) -> None:
    """Print at once."""
    print(text, file=file, flush=True)


if __name__ == "__main__":
    sys.exit(main())
