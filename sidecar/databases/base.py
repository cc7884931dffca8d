"""How recorded migrations are read: one module a database system, one class each.

`connect` picks the module by the URL's scheme and imports only that one.
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Final, Protocol

import msgspec

from sidecar.core.migrations.recorded import Recorded
from sidecar.databases.url import split_url
from sidecar.errors import UsageError

# As dj-database-url, django-environ and SQLAlchemy spell it.
BACKENDS: Final = {
    **dict.fromkeys(
        (
            "postgres",
            "postgresql",
            "pgsql",
            "psql",
            "postgis",
            "timescale",
            "timescalegis",
            "prometheus-postgresql",
        ),
        "sidecar.databases.postgres.reader",
    ),
    **dict.fromkeys(
        ("mysql", "mysql2", "mysql-connector", "mysqlgis", "mariadb"),
        "sidecar.databases.mysql.reader",
    ),
    **dict.fromkeys(("sqlite", "sqlite3", "spatialite"), "sidecar.databases.sqlite.reader"),
}


TABLE: Final = "django_migrations"
"""Django's name of the table, in every system."""

MAX_RECENT: Final = 500
"""Rows whose times `Recorded.recent` has, at most."""

APPLICATION_NAME: Final = "migration-sidecar"
LOCK_APPLICATION_NAME: Final = "migration-sidecar/lock"
"""By which a server shows the sessions that read, and those that hold a migration lock."""

UNQUERIED_SCHEMAS: Final = "(the tenants of schemas_query)"
"""Stands for the schemas of a query that cannot run yet; absent, and so behind."""


class Database(Protocol):
    """One schema of one database, or several, to be read."""

    async def read(self) -> Recorded:
        """Return the recorded migrations. Raises DatabaseError, with the reason, if that fails."""

    async def release(self) -> None:
        """Close the connection, if one is held; the next read opens another."""


class MigrationLock(Protocol):
    """The right to migrate one schema, which one process has at a time."""

    async def acquire(self) -> bool:
        """Try once to acquire it; return whether it is held now.

        Raises DatabaseError, and UsageError if no lock can be held this way, such as
        through transaction pooling.
        """

    async def held(self) -> bool:
        """Return whether it is still held.

        Raises DatabaseTimeout if the server does not answer, which leaves that open, and
        another DatabaseError if the session is lost, and the lock with it.
        """

    async def count_leftover_sessions(self) -> int:
        """Return how many sessions of an earlier migrate run's command are still there."""

    def environment(self, limits: "StatementTimeouts") -> dict[str, str]:
        """Return variables that name the command's sessions and set their timeouts."""

    async def release(self) -> None:
        """Release it; nothing happens if it is not held."""


class StatementTimeouts(msgspec.Struct, frozen=True, kw_only=True):
    """PostgreSQL's timeouts for the command's sessions, in seconds; None for no limit."""

    lock_timeout: float | None = None
    statement_timeout: float | None = None

    def refuse(self, system: str, instead: str) -> None:
        """Raise UsageError if one is set; for systems that have no such variables."""
        if self.lock_timeout is not None or self.statement_timeout is not None:
            raise UsageError(
                "lock_timeout_per_statement and statement_timeout are PostgreSQL's;"
                f" for {system} set {instead} in the OPTIONS of Django's DATABASES"
            )


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where to read and how long to try; `url` None means libpq's PG* variables."""

    url: str | None
    url_file: Path | None = None
    """The file that `url` was read from, if it was; it may be rotated."""
    schema: str | None = None
    schemas: tuple[str, ...] = ()
    """Names, patterns with `*`, or `all` that have the table; besides or instead of `schema`."""
    schemas_query: str | None = None
    """Returns the names of further schemas."""
    options: str | None = None
    """libpq's PGOPTIONS."""
    password: Callable[[], str] | None = None
    """Called at every connect, since a secret in a file may be rotated."""
    connect_timeout: float = 3.0
    read_timeout: float = 5.0

    def __repr__(self) -> str:
        """Never show a URL: it may hold a password."""
        return f"Address(schema={self.schema!r})"


def connect(address: Address) -> Database:
    """Return the database at this address; nothing is opened yet.

    Raises UsageError if the URL is invalid.
    """
    if address.url_file is not None:
        from sidecar.databases.url_file import FollowingDatabase, UrlFile  # noqa: PLC0415 - seldom

        file, bare = address.url_file, msgspec.structs.replace(address, url_file=None)
        return FollowingDatabase(UrlFile(file, bare, connect))
    database: Database = _import_backend(address).connect(address)
    return database


def create_migration_lock(address: Address) -> MigrationLock:
    """Return the migration lock of this schema; nothing is opened yet.

    Raises UsageError if the URL is invalid.
    """
    if address.url_file is not None:
        from sidecar.databases.url_file import FollowingLock, UrlFile  # noqa: PLC0415 - seldom

        file, bare = address.url_file, msgspec.structs.replace(address, url_file=None)
        return FollowingLock(UrlFile(file, bare, create_migration_lock))
    lock: MigrationLock = _import_backend(address).create_migration_lock(address)
    return lock


def _import_backend(address: Address) -> ModuleType:
    scheme = "postgresql" if address.url is None else split_url(address.url).scheme
    module = BACKENDS.get(scheme.partition("+")[0])
    if module is None:
        # Before a bare colon may stand anything, a password too.
        known = scheme and address.url is not None and f"{scheme}://" in address.url.lower()
        what = f"has the scheme {scheme!r}" if known else "has no scheme that can be read"
        raise UsageError(f"the database URL {what}; known are {', '.join(BACKENDS)}")
    return import_module(module)
