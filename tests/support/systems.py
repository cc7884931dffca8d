"""The database systems side by side, each with one empty database that tests can do the same to."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import psycopg
import pymysql

from sidecar.databases.sqlite.connection import open_read_only
from sidecar.errors import DatabaseDenied, DatabaseError, DatabaseUnreachable
from support import database, mariadb, postgres, project
from support.postgres import PASSWORD

Row = tuple[int, str, str, str]
"""Id, app, name, and when it was recorded, in UTC, without a time zone."""

Refusal = tuple[str, type[DatabaseError], str]
"""A URL that cannot work, what reading from it raises, and words of the message."""

SHIM = Path(__file__).with_name("mysqldb")

LOCKER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""

INSERT = "INSERT INTO django_migrations (id, app, name, applied) VALUES (0, 'a', 'b', '2024-01-01')"


class System(Protocol):
    """One database of a system. `lacks` has what it has no notion of, and why."""

    reader: str
    migrator: str
    absent: str
    refused: dict[str, Refusal]
    lacks: dict[str, str]

    def execute(self, statement: str) -> list[tuple[object, ...]]:
        """Run a statement as who may do anything."""

    def record(self, rows: Sequence[Row]) -> None:
        """Insert rows as Django would have written them."""

    def locked(self) -> AbstractContextManager[None]:
        """Keep everybody else from the table."""

    def sessions(self) -> int:
        """Return how many sessions, or open files, a reader has."""

    def end_sessions(self) -> None:
        """End the sessions of readers, as an administrator can."""

    def revoke(self) -> None:
        """Take away what a reader needs."""

    def write_as_reader(self) -> str:
        """Try to insert a row with the rights that a sidecar gets; return what was answered."""


def migrate(system: System, *arguments: str) -> None:
    """Migrate the example project by its own manage.py."""
    shim = {"PYTHONPATH": str(SHIM)}
    project.manage("migrate", "--verbosity=0", *arguments, url=system.migrator, **shim)


def values(rows: Sequence[Row], zone: str = "") -> str:
    """Return rows as SQL."""
    texts = [[text.replace("'", "''") for text in row[1:]] for row in rows]
    return ", ".join(
        f"({row[0]}, '{app}', '{name}', '{applied}{zone}')"
        for row, (app, name, applied) in zip(rows, texts, strict=True)
    )


class Postgres:
    """A database of the session's PostgreSQL."""

    absent = "there is no table django_migrations in public"

    def __init__(self, server: postgres.Server, name: str) -> None:
        self._database = database.add_database(server, name)
        self.reader, self.migrator = self._database.reader, self._database.migrator
        self.lacks: dict[str, str] = {}
        self.refused: dict[str, Refusal] = {
            "wrong password": (
                server.url(name, database.READER, "wrong"),
                DatabaseDenied,
                "check user and password",
            ),
            "unknown user": (server.url(name, "nobody"), DatabaseDenied, "check user and password"),
            "no database": (
                server.url("nosuch", database.READER),
                DatabaseDenied,
                "check the database's name",
            ),
        }

    def execute(self, statement: str) -> list[tuple[object, ...]]:
        return self._database.execute(statement)

    def record(self, rows: Sequence[Row]) -> None:
        self.execute(f"INSERT INTO django_migrations VALUES {values(rows, '+00')}")

    @contextmanager
    def locked(self) -> Iterator[None]:
        with self._database.server.connect(self._database.name) as locker:
            locker.execute("BEGIN; LOCK TABLE django_migrations IN ACCESS EXCLUSIVE MODE")
            yield

    def sessions(self) -> int:
        return len(self._sessions())

    def end_sessions(self) -> None:
        for (pid,) in self._sessions():
            self.execute(f"SELECT pg_terminate_backend({pid})")

    def revoke(self) -> None:
        self.execute(f"REVOKE SELECT ON django_migrations FROM {database.READER}")

    def write_as_reader(self) -> str:
        with psycopg.connect(self.reader) as connection:
            try:
                connection.execute(INSERT)
            except psycopg.Error as error:
                return str(error)
        return "written"

    def _sessions(self) -> list[tuple[object, ...]]:
        return self.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'migration-sidecar%'"
            f" AND datname = '{self._database.name}'"
        )


class MariaDB:
    """A database of a MariaDB, with the user that the shipped SQL makes."""

    READER, MIGRATOR = "sidecar_reader", "shop_migrate"

    def __init__(self, server: mariadb.Server, name: str) -> None:
        self.server, self.name = server, name
        server.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        server.execute(f"CREATE USER IF NOT EXISTS {self.MIGRATOR} IDENTIFIED BY '{PASSWORD}'")
        server.execute(f"GRANT ALL ON {name}.* TO {self.MIGRATOR}")
        variables = {"reader": self.READER, "password": PASSWORD, "database": name}
        server.script(project.READER_SQL.with_name("reader-mysql.sql"), **variables)
        self.reader, self.migrator = server.url(name, self.READER), server.url(name, self.MIGRATOR)
        self.absent = f"there is no table django_migrations in {name}"
        self.lacks: dict[str, str] = {}
        self.refused: dict[str, Refusal] = {
            "wrong password": (
                server.url(name, self.READER, "wrong"),
                DatabaseDenied,
                "check user and password",
            ),
            "unknown user": (server.url(name, "nobody"), DatabaseDenied, "check user and password"),
            "no database": (
                server.url("nosuch", self.READER),
                DatabaseDenied,
                "check the database's name",
            ),
        }

    def execute(self, statement: str) -> list[tuple[object, ...]]:
        return self.server.execute(statement, self.name)

    def record(self, rows: Sequence[Row]) -> None:
        # Without this an id of 0 would mean the next one.
        self.execute(
            "SET STATEMENT sql_mode = 'NO_AUTO_VALUE_ON_ZERO' FOR"
            " INSERT INTO django_migrations VALUES " + values(rows).replace("\\", "\\\\")
        )

    @contextmanager
    def locked(self) -> Iterator[None]:
        with self.server.connect(self.name) as locker:
            locker.cursor().execute("LOCK TABLES django_migrations WRITE")
            yield

    def sessions(self) -> int:
        return len(self._sessions())

    def end_sessions(self) -> None:
        for (number,) in self._sessions():
            self.server.execute(f"KILL {number}")

    def revoke(self) -> None:
        self.execute(f"REVOKE SELECT ON {self.name}.django_migrations FROM {self.READER}")
        # With nothing at all to read there the user might not even enter the database.
        self.execute("CREATE TABLE other (id int)")
        self.execute(f"GRANT SELECT ON {self.name}.other TO {self.READER}")

    def write_as_reader(self) -> str:
        with pymysql.connect(
            host="127.0.0.1",
            port=self.server.port,
            user=self.READER,
            password=PASSWORD,
            database=self.name,
        ) as connection:
            try:
                connection.cursor().execute(INSERT)
            except pymysql.Error as error:
                return str(error)
        return "written"

    def _sessions(self) -> list[tuple[object, ...]]:
        return self.execute(
            "SELECT id FROM information_schema.processlist"
            f" WHERE user IN ('{self.READER}', '{self.MIGRATOR}') AND db = '{self.name}'"
        )


class SQLite:
    """A file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.reader = self.migrator = f"sqlite:///{quote(str(file))}"
        self.execute(
            "CREATE TABLE django_migrations (id integer NOT NULL PRIMARY KEY AUTOINCREMENT,"
            " app varchar(255) NOT NULL, name varchar(255) NOT NULL, applied datetime NOT NULL)"
        )
        self.absent = f"there is no table django_migrations in {file}"
        self.lacks = {
            "wrong password": "a file has no users and passwords",
            "unknown user": "a file has no users and passwords",
            "sessions": "SQLite has no server, and no sessions that could be ended",
            "grants": "SQLite has no grants; who may read the file is asked in test_sqlite.py",
        }
        nowhere = file.with_name("nosuch.sqlite3")
        self.refused: dict[str, Refusal] = {
            "no database": (f"sqlite:///{nowhere}", DatabaseUnreachable, "no such file"),
        }

    def execute(self, statement: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(self.file, isolation_level=None)) as connection:
            return connection.execute(statement).fetchall()

    def record(self, rows: Sequence[Row]) -> None:
        self.execute(f"INSERT INTO django_migrations VALUES {values(rows)}")

    @contextmanager
    def locked(self) -> Iterator[None]:
        # A process of its own: SQLite keeps files open while its own process has a lock.
        with subprocess.Popen(
            [sys.executable, "-c", LOCKER, self.file],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as locker:
            assert locker.stdout is not None
            assert locker.stdout.readline() == b"locked\n"
            yield
            locker.communicate()

    def sessions(self) -> int:
        opened = Path("/proc/self/fd").iterdir()
        names = [str(link.readlink()) for link in opened if link.is_symlink()]
        return sum(name.startswith(str(self.file)) for name in names)

    def end_sessions(self) -> None:
        raise NotImplementedError(self.lacks["sessions"])

    def revoke(self) -> None:
        raise NotImplementedError(self.lacks["grants"])

    def write_as_reader(self) -> str:
        with closing(open_read_only(self.file, 1)) as connection:
            try:
                connection.execute(INSERT)
            except sqlite3.Error as error:
                return str(error)
        return "written"
