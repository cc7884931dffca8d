"""What is measured: a PostgreSQL, synthetic projects of any size, the sidecar and its peers.

A project is apps with a chain of fifty migrations each; of a hundred apps at most, whose
chains are longer then. Django's are files without operations, which flatters Django: real ones
take longer to import.
"""

import os
import re
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO
from urllib.parse import quote

from bench import measure
from bench.peers import __file__ as peers
from support import project
from support.database import Database, add_database
from support.manifests import chain, encode
from support.postgres import PASSWORD, Server, free_port
from support.process import until

PEERS = Path(peers).parent
PYTHON = Path(sys.executable)
A_FOREIGN_KEY = 3
"""Every so many migrations of an app, one depends on the app before."""
SETTINGS = {"max_connections": "700", "track_activities": "on"}

FILL = """
    INSERT INTO django_migrations (app, name, applied)
    SELECT 'app_' || lpad(a::text, 3, '0'), lpad(n::text, 4, '0') || '_step', now()
      FROM generate_series(0, {apps} - 1) a, generate_series(1, {chain}) n ORDER BY a, n
"""


@dataclass(frozen=True)
class Running:
    """A server process that answers at `url`; `processes` are those that cost."""

    url: str
    process: "subprocess.Popen[str]"

    @property
    def processes(self) -> list[int]:
        """The process and its children."""
        return measure.family(self.process.pid)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        host, _, port = self.url.removeprefix("http://").rpartition(":")
        return host, int(port)

    def cpu(self) -> float:
        """Return the CPU seconds used so far."""
        return measure.cpu(*self.processes)


class Stage:
    """Everything that rows ask for, made when it is first asked for and ended together."""

    def __init__(self, folder: Path, stack: ExitStack, rounds: int) -> None:
        """Take a folder for files, and what ends processes."""
        self.folder = folder
        self.rounds = rounds
        self._stack = stack
        self._databases: dict[int, Database] = {}
        self._manifests: dict[int, Path] = {}
        self._projects: dict[int, dict[str, str]] = {}

    @cached_property
    def server(self) -> Server:
        """The PostgreSQL."""
        return self._stack.enter_context(Server(**SETTINGS))

    def database(self, size: int) -> Database:
        """Return a database in which so many migrations are recorded."""
        if size not in self._databases:
            made = add_database(self.server, f"bench_{size}")
            made.execute(FILL.format(apps=apps(size), chain=size // apps(size)))
            made.execute("VACUUM ANALYZE django_migrations")
            self._databases[size] = made
        return self._databases[size]

    def manifest(self, size: int) -> Path:
        """Return the manifest of a project of so many migrations."""
        if size not in self._manifests:
            path = self.folder / f"manifest-{size}.json"
            path.write_bytes(manifest(size))
            self._manifests[size] = path
        return self._manifests[size]

    def django(self, size: int) -> dict[str, str]:
        """Return the environment of a Django project of so many migrations."""
        if size not in self._projects:
            folder = self.folder / f"project-{size}"
            found = project.environment(
                PROJECT=str(folder),
                APPS=str(apps(size)),
                MIGRATIONS=str(size),
                PYTHONPATH=str(PEERS),
                PGHOST="127.0.0.1",
                PGPORT=str(self.server.port),
                PGUSER="postgres",
                PGPASSWORD=PASSWORD,
                PGDATABASE=self.database(size).name,
            )
            del found["PYTHONDONTWRITEBYTECODE"]  # An image ships .pyc files.
            for words in (["write"], ["migrate", "--verbosity=0"]):
                subprocess.run([PYTHON, PEERS / "django_site.py", *words], env=found, check=True)
            self._projects[size] = found
        return self._projects[size]

    def environment(self, size: int, **variables: str) -> dict[str, str]:
        """Return the environment of a sidecar that watches so many migrations."""
        return project.environment(
            DATABASE_URL=self.database(size).reader,
            SIDECAR_MANIFEST=str(self.manifest(size)),
            **variables,
        )

    def sidecar(self, size: int, *flags: str, **variables: str) -> Running:
        """Start our own."""
        words = [project.sidecar(), "serve", "--listen=127.0.0.1:0", *flags]
        return self._start(words, self.environment(size, **variables))

    def peer(self, name: str) -> Running:
        """Start one of the floors in `peers`."""
        return self._start([str(PYTHON), str(PEERS / name)], project.environment())

    def gunicorn(self, size: int) -> Running:
        """Start Django behind gunicorn, as its documentation shows it."""
        words = ["-m", "gunicorn", "--bind=127.0.0.1:0", "--workers=1", "django_site:application"]
        return self._start([str(PYTHON), *words], self.django(size))

    def sql_exporter(self, size: int) -> Running | None:
        """Start Debian's prometheus-sql-exporter, if it is there."""
        program = _find("prometheus-sql-exporter")
        if program is None:
            return None
        host = f"127.0.0.1:{self.server.port}"
        url = f"postgres://postgres:{quote(PASSWORD, safe='')}@{host}/{self.database(size).name}"
        config = self.folder / "sql_exporter.yml"
        config.write_text(SQL_EXPORTER.format(url=f"{url}?sslmode=disable"))
        port = free_port()  # the one peer that cannot take port 0
        words = [program, f"-config.file={config}", f"-web.listen-address=127.0.0.1:{port}"]
        variables = project.environment(LOGLEVEL="ERROR")
        return self._start(words, variables, url=f"http://127.0.0.1:{port}")

    def _start(self, words: list[str], environment: dict[str, str], url: str = "") -> Running:
        """Start a server; its address is the first one in its output, unless it is given."""
        log = self.folder / f"{len(list(self.folder.glob('*.log')))}.log"
        output: IO[str] = self._stack.enter_context(log.open("w"))
        process = subprocess.Popen(
            words, env=environment, stdout=output, stderr=output, cwd=self.folder, text=True
        )
        self._stack.callback(process.wait)
        self._stack.callback(process.terminate)

        def is_listening() -> bool:
            if process.poll() is not None:
                raise RuntimeError(f"{words[:3]} ended: {log.read_text()}")
            return bool(url or re.search(ADDRESS, log.read_text()))

        until(is_listening, f"{words[0]} listens")
        found = url or re.search(ADDRESS, log.read_text())[0]  # type: ignore[index]
        return Running(found, process)


ADDRESS = r"http://127\.0\.0\.1:\d+"

SQL_EXPORTER = """
jobs:
- name: django
  interval: '0s'
  connections: ['{url}']
  queries:
  - name: migrations
    help: Applied migrations by app.
    labels: [app]
    values: [count]
    query: SELECT app, count(*) AS count FROM django_migrations GROUP BY app
"""


def apps(size: int) -> int:
    """Return how many apps a project of so many migrations has."""
    return min(size // 50, 100)


def manifest(size: int) -> bytes:
    """Return the manifest of a project of so many migrations."""
    names = _names(size)
    nodes = []
    for app in range(apps(size)):
        made = chain(f"app_{app:03}", *names)
        for at in range(0, len(names), A_FOREIGN_KEY) if app else ():
            made[at]["dependencies"].append(f"app_{app - 1:03}.{names[at]}")
        nodes += made
    return encode(*nodes)


def rows(size: int) -> str:
    """Return the rows of such a project as a read returns them."""
    return "\n".join(f"app_{app:03}.{name}" for app in range(apps(size)) for name in _names(size))


def _names(size: int) -> list[str]:
    return [f"{at:04}_step" for at in range(1, size // apps(size) + 1)]


def _find(program: str) -> str | None:
    folders = (*os.environ["PATH"].split(":"), "/usr/sbin")
    return next((f"{f}/{program}" for f in folders if os.access(f"{f}/{program}", os.X_OK)), None)
