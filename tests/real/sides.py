"""Both sides of the question on one database: the project's own Django, and the sidecar."""

import json
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from real.comparison import EXIT, MigrateOutput, Ours, differences
from real.environment import Failed, variables
from real.projects import Project
from support.postgres import Server
from support.project import environment, sidecar

INSERT = "INSERT INTO django_migrations (app, name, applied) VALUES (%s, %s, now())"


class Side:
    """The project's own Django in a process of its own, `project_side.py`, on one database."""

    def __init__(self, python: str, folder: Path, found: dict[str, str]) -> None:
        """Take how to start it."""
        self._command = [python, str(Path(__file__).with_name("project_side.py"))]
        self._folder, self._environment = folder, found

    def __enter__(self) -> Self:
        """Start it; what its migrations print goes to a file."""
        self._log = (self._folder / "output.log").open("w")
        self._process = subprocess.Popen(
            self._command,
            cwd=self._folder,
            env={**self._environment, "PYTHONPATH": str(self._folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()
        self._log.close()

    def ask(self, *question: object) -> Any:
        """Ask one question; raise with its last words if the project fails."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            words = (self._folder / "output.log").read_text()[-2000:]
            raise Failed(f"failed to {question}: {words}")
        return json.loads(line)


class Stop:
    """One database of one project: where both sides are asked."""

    def __init__(self, project: Project, python: str, folder: Path, server: Server) -> None:
        """Make an empty database."""
        self.database = f"{project.name}_{time.monotonic_ns()}".replace("-", "_")
        self._python, self._folder, self._server = python, folder, server
        server.execute(f"CREATE DATABASE {self.database}")
        self._found = variables(project, folder, server, self.database)
        self.side = Side(python, folder, self._found)

    def rows(self) -> list[str]:
        """Return the recorded migrations, in the order of their ids."""
        statement = "SELECT app || '.' || name FROM django_migrations ORDER BY id"
        return [str(row[0]) for row in self._server.execute(statement, self.database)]

    def record(self, rows: Sequence[str]) -> None:
        """Make these the recorded migrations."""
        keys = [tuple(row.split(".", 1)) for row in rows]
        with self._server.connect(self.database) as connection, connection.cursor() as cursor:
            cursor.execute("TRUNCATE django_migrations")
            cursor.executemany(INSERT, keys)

    def compare(self, where: str, *, command: bool = False) -> list[str]:
        """Return what both sides disagree about here; `command` runs the project's own, too."""
        migrate = self._run_migrate_plan() if command else None
        found = differences(self.side.ask("answer"), migrate, self._check())
        return [f"{where}: {difference}" for difference in found]

    def _run_migrate_plan(self) -> MigrateOutput:
        command = ("-m", "django", "migrate", "--plan", "--check", "--skip-checks", "--no-color")
        ended = subprocess.run(
            [self._python, *command],
            check=False,
            cwd=self._folder,
            env=self._found,
            capture_output=True,
            text=True,
        )
        return MigrateOutput(ended.stdout, ended.returncode)

    def _check(self) -> Ours:
        ended = subprocess.run(
            [sidecar(), "check", "--json", "--manifest=manifest.json"],
            check=False,
            cwd=self._folder,
            env=environment(DATABASE_URL=self._server.url(self.database)),
            capture_output=True,
            text=True,
        )
        if ended.returncode not in EXIT.values():
            raise Failed(f"sidecar check failed: {ended.stdout}{ended.stderr}")
        return Ours(json.loads(ended.stdout), ended.returncode)
