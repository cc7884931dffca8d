"""How recorded migrations are read: one module a database system, one class each.

`connect` picks the module by the URL's scheme and imports only that one.
"""

from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Final, Protocol

import msgspec

from sidecar.core.migrations.recorded import Recorded
from sidecar.databases.url import split
from sidecar.errors import UsageError

# As dj-database-url, django-environ and SQLAlchemy spell it.
MODULES: Final = {
    **dict.fromkeys(
        ("postgres", "postgresql", "pgsql", "psql", "postgis", "timescale", "timescalegis"),
        "sidecar.databases.postgres.reader",
    ),
    **dict.fromkeys(
        ("mysql", "mysql2", "mysql-connector", "mysqlgis", "mariadb"),
        "sidecar.databases.mysql.reader",
    ),
    **dict.fromkeys(("sqlite", "sqlite3", "spatialite"), "sidecar.databases.sqlite.reader"),
}


UNQUERIED_SCHEMAS: Final = "(the tenants of schemas_query)"
"""Stands for the schemas of a query that cannot be asked yet; absent, and so behind."""


class Database(Protocol):
    """One schema of one database, as it can be looked at."""

    async def read(self) -> Recorded:
        """Return what is recorded. Raises DatabaseError, with the reason, when it cannot tell."""

    async def release(self) -> None:
        """Let the connection go, if one is held; the next read opens another."""


class MigrationLock(Protocol):
    """The right to migrate one schema, which one process has at a time."""

    async def acquire(self) -> bool:
        """Ask for it once; tell whether it is ours.

        Raises DatabaseError, and UsageError when no turn can be kept this way, such as
        through a pooler that pools transactions.
        """

    async def held(self) -> bool:
        """Tell whether it is still ours.

        Raises DatabaseTimeout when the server does not answer, which leaves that open, and
        another DatabaseError when the session is lost, and the turn with it.
        """

    async def left(self) -> int:
        """Return how many sessions of an earlier run's command are still there."""

    def environment(self, limits: "StatementTimeouts") -> dict[str, str]:
        """Return the variables by which the command's sessions are known, and kept safe."""

    async def release(self) -> None:
        """Give it back; nothing happens when it is not ours."""


class StatementTimeouts(msgspec.Struct, frozen=True, kw_only=True):
    """What keeps a migration from stopping the application; limits in seconds, None for none."""

    lock_timeout: float | None = None
    statement_timeout: float | None = None


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where to read and how long to try; `url` None means libpq's PG* variables."""

    url: str | None
    schema: str | None = None
    schemas: tuple[str, ...] = ()
    """Names, patterns with `*`, or `all` that have the table; besides or instead of `schema`."""
    schemas_query: str | None = None
    """Returns the names of further schemas."""
    options: str | None = None
    """libpq's PGOPTIONS."""
    password: Callable[[], str] | None = None
    """Asked anew at every connect, since a secret in a file may be rotated."""
    connect_timeout: float = 3.0
    read_timeout: float = 5.0

    def __repr__(self) -> str:
        """Never show a URL: it may hold a password."""
        return f"Address(schema={self.schema!r})"


def connect(address: Address) -> Database:
    """Return the database at this address; nothing is opened yet.

    Raises UsageError when the URL cannot be meant.
    """
    database: Database = _module(address).connect(address)
    return database


def migration_lock(address: Address) -> MigrationLock:
    """Return the turn at migrating this schema; nothing is opened yet. Raises UsageError."""
    lock: MigrationLock = _module(address).migration_lock(address)
    return lock


def _module(address: Address) -> ModuleType:
    scheme = "postgresql" if address.url is None else split(address.url).scheme
    module = MODULES.get(scheme.partition("+")[0])
    if module is None:
        # Before a bare colon may stand anything, a password too.
        known = scheme and address.url is not None and f"{scheme}://" in address.url.lower()
        what = f"has the scheme {scheme!r}" if known else "has no scheme that can be read"
        raise UsageError(f"the database URL {what}; known are {', '.join(MODULES)}")
    return import_module(module)
