"""A real project goes from one of its releases to the next, and back: `make rollback-real`.

The way back is what `sidecar diff --rollback` prints, run by the newer release's own
Django; after it the rows must be those that the older release had left.
"""

import shlex
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

if __name__ == "__main__":  # as a script, this folder hides the packages beside it
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from real.environment import install, variables
from real.journey import bake
from real.projects import PROJECTS, Project
from support.postgres import Server
from support.project import sidecar

NEW = next(project for project in PROJECTS if project.name == "wagtail")
OLD = replace(NEW, name="wagtail-before")
ROWS = "SELECT app || '.' || name FROM django_migrations ORDER BY 1"


class Release:
    """One release of the project, in an environment of its own."""

    def __init__(self, project: Project, folder: Path, server: Server, database: str) -> None:
        """Install and bake it."""
        self.python = install(project)
        self.folder = folder / project.name
        self.folder.mkdir()
        (self.folder / "real_settings.py").write_text(project.module)
        bake(project, str(self.python), self.folder)
        self.manifest = self.folder / "manifest.json"
        self._environment = variables(project, self.folder, server, database)

    def manage(self, *arguments: str) -> None:
        """Run a management command of this release."""
        subprocess.run(
            [self.python, "-m", "django", *arguments, "--skip-checks", "--verbosity=0"],
            check=True,
            cwd=self.folder,
            env={**self._environment, "PYTHONPATH": str(self.folder)},
        )


def go_there_and_back(folder: Path, server: Server) -> tuple[int, int, bool]:
    """Return how many migrations lay between, how many commands led back, and whether they did."""
    server.execute("CREATE DATABASE rollback")
    old, new = (Release(project, folder, server, "rollback") for project in (OLD, NEW))
    old.manage("migrate", "--noinput")
    before = server.execute(ROWS, "rollback")
    new.manage("migrate", "--noinput")
    between = len(server.execute(ROWS, "rollback")) - len(before)
    commands = subprocess.run(
        [sidecar(), "diff", "--rollback", new.manifest, old.manifest],
        check=True, capture_output=True, text=True,
    ).stdout.splitlines()  # fmt: skip
    for command in commands:
        program, script, *arguments = shlex.split(command)
        if (program, script) != ("python", "manage.py"):
            raise SystemExit(f"no command of Django's: {command}")
        new.manage(*arguments)
    back = server.execute(ROWS, "rollback") == before
    new.manage("migrate", "--noinput")
    return between, len(commands), back


def main() -> int:
    """Go there and back; return 1 when the rows are not what they were."""
    with Server() as server, tempfile.TemporaryDirectory(prefix="sidecar-real-") as folder:
        between, commands, back = go_there_and_back(Path(folder), server)
    outcome = "the rows are as before" if back else "THE ROWS DIFFER"
    print(f"{NEW.name}: {between} rows forth, {commands} commands back: {outcome}")
    return int(not back or not between)


if __name__ == "__main__":
    sys.exit(main())
