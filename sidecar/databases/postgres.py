"""Read `django_migrations` from PostgreSQL: one short read-only transaction a look."""

import asyncio
import os
import ssl
from typing import Final

import asyncpg

from sidecar.core.recorded import Recorded
from sidecar.databases import Address
from sidecar.databases.postgres_errors import meaning
from sidecar.databases.postgres_service import with_service
from sidecar.databases.postgres_tls import Tls
from sidecar.databases.postgres_url import hosts, place, session_attributes, to_libpq
from sidecar.errors import (
    DatabaseDenied,
    DatabaseError,
    DatabaseTimeout,
    DatabaseUnreachable,
)

TABLE: Final = "django_migrations"

NEXT_HOST: Final = (
    OSError,
    TimeoutError,
    asyncpg.CannotConnectNowError,
    asyncpg.ConnectionDoesNotExistError,
    asyncpg.TooManyConnectionsError,
    asyncpg.TargetServerAttributeNotMatched,
)
"""What makes libpq try the next host; a refused password does not."""

READ: Final = """
    SELECT string_agg(app || '.' || name, E'\\n' ORDER BY id) AS text,
           extract(epoch FROM max(applied))::float8 AS last_applied,
           (SELECT nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.oid = to_regclass($1)) AS schema
      FROM {table}
"""

# A schema without USAGE is passed over in the search_path, and the table in it looks absent.
WHY_ABSENT: Final = """
    SELECT current_schema() AS schema,
           current_setting('search_path') AS search_path,
           current_user AS role,
           array(SELECT nspname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                  WHERE c.relname = $1 AND c.relkind IN ('r', 'p', 'v', 'f')
                  ORDER BY 1) AS elsewhere,
           array(SELECT nspname::text FROM pg_namespace n
                  WHERE NOT has_schema_privilege(n.oid, 'USAGE')) AS forbidden,
           $2::text IS NULL OR to_regnamespace($3) IS NOT NULL AS schema_exists
"""


def connect(address: Address) -> "Postgres":
    """Return the database at this address; nothing is opened yet."""
    return Postgres(address)


class Postgres:
    """One schema of a PostgreSQL database; a connection is held from a read to `release`."""

    def __init__(self, address: Address) -> None:
        """Take the address; raises UsageError when its URL cannot be meant."""
        self._address = address
        self._dsn = to_libpq(address.url or "postgresql://", address.options)
        _hosts(self._dsn)  # A port that is no number is refused at once.
        self._wanted = session_attributes(self._dsn) or os.environ.get("PGTARGETSESSIONATTRS")
        self._place = place(address.url, os.environ.get("PGHOST"), os.environ.get("PGDATABASE"))
        self._table = f"{_quote(address.schema)}.{TABLE}" if address.schema else TABLE
        self._connection: asyncpg.Connection | None = None

    async def read(self) -> Recorded:
        """Return what is recorded; see `Database.read`."""
        limit = self._address.connect_timeout
        try:
            if self._connection is None or self._connection.is_closed():
                self._connection = await self._open()
            limit = self._address.read_timeout
            # The server's own timeouts come first; this one is for a server that is silent.
            async with asyncio.timeout(limit + 0.5):
                return await self._look(self._connection)
        except DatabaseError:
            self._drop()
            raise
        except Exception as error:
            self._drop()
            raise self._explained(error, limit) from error
        except BaseException:
            self._drop()
            raise

    async def release(self) -> None:
        """Close politely, so that the server logs no lost connection; a silent one is dropped."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                await connection.close(timeout=1)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                connection.terminate()

    async def _open(self) -> asyncpg.Connection:
        """Connect to the first host that will have us, each within its own time.

        As libpq does: asyncpg has one limit for all hosts together, so that a first one
        that is silent would hide the others for ever.
        """
        dsn = with_service(self._dsn, os.environ)
        if exposed := Tls(dsn, os.environ).exposed():
            raise DatabaseDenied(f"{self._place}: {exposed}")
        passes = ("standby", "any") if self._wanted == "prefer-standby" else (self._wanted,)
        attempts = [(host, wanted) for wanted in passes for host in _hosts(dsn)]
        for (host, port), wanted in attempts[:-1]:
            try:
                return await self._connect(dsn, host, port, wanted)
            except NEXT_HOST:
                continue
        (host, port), wanted = attempts[-1]
        return await self._connect(dsn, host, port, wanted)

    async def _connect(
        self, dsn: str, host: str | None, port: int | None, wanted: str | None
    ) -> asyncpg.Connection:
        async with asyncio.timeout(self._address.connect_timeout):
            return await asyncpg.connect(  # type: ignore[misc]  # too many unions
                dsn,
                host=host,
                port=port,
                target_session_attrs=wanted,  # type: ignore[arg-type]  # a word does as well
                ssl=Tls(dsn, os.environ).context(),
                password=self._address.password,
                timeout=self._address.connect_timeout,
                # Bounds what asyncpg does on its own after a look was given up, too: it
                # connects once more to cancel the query.
                command_timeout=self._address.read_timeout + 0.5,
                # A prepared statement outlives its transaction, and behind a pooler belongs
                # to whoever gets the server connection next.
                statement_cache_size=0,
                server_settings={"application_name": "migration-sidecar"},
            )

    async def _look(self, connection: asyncpg.Connection) -> Recorded:
        milliseconds = int(self._address.read_timeout * 1000)
        begin = (
            "BEGIN READ ONLY;"
            f"SET LOCAL statement_timeout = {milliseconds};"
            f"SET LOCAL lock_timeout = {milliseconds // 2}"
        )
        await connection.execute(begin)
        try:
            (row,) = await connection.fetch(READ.format(table=self._table), self._table)
        except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
            await connection.execute("ROLLBACK")
            await connection.execute(begin)
            absent = await self._absent(connection)
            await connection.execute("COMMIT")
            return absent
        await connection.execute("COMMIT")
        return Recorded(row["text"] or "", row["schema"], row["last_applied"])

    async def _absent(self, connection: asyncpg.Connection) -> Recorded:
        """Say why there is no table; an absent one is an empty set, as for Django."""
        schema = self._address.schema
        (found,) = await connection.fetch(
            WHY_ABSENT, TABLE, schema, _quote(schema) if schema else None
        )
        path = [_unquote(part, found["role"]) for part in found["search_path"].split(",")]
        for name in [schema] if schema else path:
            if name in found["forbidden"]:
                raise DatabaseDenied(
                    f"{self._place}: role {found['role']} may not use the schema {name}; "
                    f"GRANT USAGE ON SCHEMA {name} TO {found['role']}"
                )
        if not found["schema_exists"]:
            return Recorded("", schema, note=f"there is no schema {schema}")
        where = schema or found["schema"]
        note = f"there is no table {TABLE} in {where or 'the search_path'}"
        if found["elsewhere"]:
            note += f" (there is one in {', '.join(found['elsewhere'][:3])})"
        return Recorded("", where, note=note)

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    def _explained(self, error: Exception, limit: float) -> DatabaseError:
        text = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, TimeoutError):
            return DatabaseTimeout(f"{self._place}: no answer within {limit:g} s")
        if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
            return DatabaseUnreachable(f"{self._place}: no host that answers is {self._wanted}")
        missing = isinstance(error, FileNotFoundError | PermissionError | ssl.SSLError)
        if missing and (file := Tls(self._dsn, os.environ).unreadable()):
            return DatabaseDenied(f"{self._place}: {file}")
        if type(error) is ValueError:
            # asyncpg repeats what it cannot read as a number, and that may be a password.
            return DatabaseUnreachable(
                f"{self._place}: a host, a port or the passfile cannot be understood"
            )
        becomes, told = meaning(error, text, self._table)
        return becomes(f"{self._place}: {told}")


def _hosts(dsn: str) -> list[tuple[str | None, int | None]]:
    found = hosts(dsn, os.environ.get("PGHOST"), os.environ.get("PGPORT"))
    return [*found] or [(None, None)]


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _unquote(part: str, role: str) -> str:
    name = part.strip().strip('"').replace('""', '"')
    return role if name == "$user" else name
