"""Read `django_migrations` from PostgreSQL: one short read-only transaction each time."""

import asyncio
from typing import TYPE_CHECKING, Final

import asyncpg

from sidecar.core.migrations.manifest import Key
from sidecar.core.migrations.recorded import Recorded
from sidecar.databases.base import APPLICATION_NAME, MAX_RECENT, TABLE, Address
from sidecar.databases.postgres.connection import Session, quote
from sidecar.databases.postgres.migrate_runs import RUN, RUNNING_ANYWHERE, FoundRun, parse_run
from sidecar.databases.postgres.row_keys import KEY, KEYS
from sidecar.databases.postgres.search_path import SET_SEARCH_PATH, resolve
from sidecar.errors import DatabaseDenied

if TYPE_CHECKING:
    from sidecar.databases.postgres.many_schemas import PostgresSchemas
    from sidecar.databases.postgres.migration_lock import PostgresMigrationLock

# One statement, so that the rows are older than what is seen of a migrate run: one that has
# ended has written all its rows before.
READ: Final = """
    WITH place AS (
        SELECT n.oid, n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.oid = to_regclass($1)
    )
    SELECT {keys} AS text,
           extract(epoch FROM max(applied))::float8 AS last_applied,
           (SELECT oid FROM place) AS schema_oid,
           (SELECT nspname FROM place) AS schema,
           (SELECT {running} FROM place) AS running
      FROM {table}
"""

# A schema without USAGE is passed over in the search_path: Django, whose role may have it,
# would read the table there and not the one that we find behind it.
FIND_HIDDEN_TABLE: Final = """
    WITH path AS (
        SELECT at, CASE WHEN part IN ('"$user"', '$user') THEN current_user
                        WHEN part LIKE '"%' THEN replace(btrim(part, '"'), '""', '"')
                        ELSE lower(part) END AS name
          FROM (SELECT btrim(raw) AS part, at
                  FROM unnest(string_to_array($3, ','))
                       WITH ORDINALITY AS setting (raw, at)) AS parts
    )
    SELECT n.nspname AS schema, current_user AS role
      FROM path JOIN pg_namespace n ON n.nspname = path.name
      JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = $1
     WHERE NOT has_schema_privilege(n.oid, 'USAGE')
       AND at < (SELECT min(at) FROM path WHERE name = $2)
     ORDER BY at LIMIT 1
"""

READ_RECENT: Final = f"""
    SELECT {KEY} AS key, extract(epoch FROM applied)::float8 AS at
      FROM {{table}} WHERE applied IS NOT NULL ORDER BY id DESC LIMIT {MAX_RECENT}
"""

# A schema without USAGE is passed over in the search_path, and the table in it seems absent.
EXPLAIN_ABSENCE: Final = """
    SELECT current_user AS role,
           array(SELECT nspname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                  WHERE c.relname = $1 AND c.relkind IN ('r', 'p', 'v', 'f')
                  ORDER BY 1) AS elsewhere,
           array(SELECT nspname::text FROM pg_namespace n
                  WHERE NOT has_schema_privilege(n.oid, 'USAGE')) AS forbidden
"""


def connect(address: Address) -> "Postgres | PostgresSchemas":
    """Return the database at this address; nothing is opened yet."""
    if address.schemas or address.schemas_query:
        from sidecar.databases.postgres.many_schemas import PostgresSchemas  # noqa: PLC0415 - seldom

        return PostgresSchemas(address)
    return Postgres(address)


def create_migration_lock(address: Address) -> "PostgresMigrationLock":
    """Return the migration lock of the schema at this address; nothing is opened yet."""
    from sidecar.databases.postgres.migration_lock import PostgresMigrationLock  # noqa: PLC0415

    return PostgresMigrationLock(address)


class Postgres:
    """One schema of a PostgreSQL database; a connection is held from a read to `release`."""

    def __init__(self, address: Address) -> None:
        """Take the address; raises UsageError if its URL is invalid."""
        self._address = address
        self._session = Session(address, APPLICATION_NAME)
        self._place: asyncpg.Record | None = None
        self._text: str | None = None
        self._path_is_unchecked = True

    async def read(self) -> Recorded:
        """Return what is recorded; see `Database.read`."""
        # The server's own timeouts come first; this one is for a server that is silent.
        async with (
            self._session.use(self._reset) as connection,
            asyncio.timeout(self._address.read_timeout + 0.5),
        ):
            return await self._read_rows(connection)

    async def release(self) -> None:
        """Close the connection, if one is held."""
        await self._session.release()

    async def _reset(self, connection: asyncpg.Connection) -> None:  # noqa: ARG002 - a Prepare
        # Only a new session takes over what ALTER ROLE and ALTER DATABASE have set meanwhile.
        self._place, self._path_is_unchecked = None, True

    async def _read_rows(self, connection: asyncpg.Connection, retries: int = 2) -> Recorded:
        place = await self._begin(connection)
        if not place["present"]:
            self._text = self._place = None
            absent = await self._read_absence(connection, place)
            await connection.execute("COMMIT")
            return absent
        table = f"{quote(place['schema'])}.{TABLE}"
        read = READ.format(keys=KEYS, table=table, running=RUNNING_ANYWHERE)
        try:
            (row,) = await connection.fetch(read, table)
        except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
            # It is gone since we resolved it, and the name may mean another one now.
            self._place = None
            if not retries:
                raise
            await connection.execute("ROLLBACK")
            return await self._read_rows(connection, retries - 1)
        text: str = row["text"] or ""
        if self._address.schema is None and (self._path_is_unchecked or text != self._text):
            for hidden in await connection.fetch(
                FIND_HIDDEN_TABLE, TABLE, row["schema"], place["path"]
            ):
                raise DatabaseDenied(self._format_grant(hidden["schema"], hidden["role"]))
            self._path_is_unchecked = False
        running = row["schema_oid"] if row["running"] else None
        run, holder = await self._read_run(connection, running)
        recorded = Recorded(
            text,
            row["schema"],
            row["last_applied"],
            recent=() if text == self._text else await self._read_recent(connection, table),
            run=run,
            lock_holder=holder,
        )
        await connection.execute("COMMIT")
        self._text = text
        return recorded

    async def _begin(self, connection: asyncpg.Connection) -> asyncpg.Record:
        """Begin a transaction with our search_path; return where the role's finds the table."""
        milliseconds = int(self._address.read_timeout * 1000)
        begin = (
            "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY;"
            f"SET LOCAL statement_timeout = {milliseconds};"
            f"SET LOCAL lock_timeout = {milliseconds // 2};"
            "SET LOCAL row_security = off"  # Rows that a policy hides are an error.
        )
        if self._place is not None:
            await connection.execute(f"{begin};{SET_SEARCH_PATH}")
        else:
            await connection.execute(begin)
            self._place = await resolve(connection, self._address.schema, local=True)
        return self._place

    async def _read_recent(
        self, connection: asyncpg.Connection, table: str
    ) -> tuple[tuple[Key, float], ...]:
        rows = await connection.fetch(READ_RECENT.format(table=table))
        return tuple((Key(row["key"]), row["at"]) for row in reversed(rows))

    async def _read_run(self, connection: asyncpg.Connection, schema: int | None) -> FoundRun:
        if schema is None:
            return None, None
        (row,) = await connection.fetch(RUN, schema)
        return parse_run(row)

    async def _read_absence(
        self, connection: asyncpg.Connection, place: asyncpg.Record
    ) -> Recorded:
        """Return an empty set with a note why there is no table, as for Django; or raise."""
        schema = self._address.schema
        (found,) = await connection.fetch(EXPLAIN_ABSENCE, TABLE)
        path = [_unquote(part, found["role"]) for part in place["path"].split(",")]
        for name in [schema] if schema else path:
            if name in found["forbidden"]:
                raise DatabaseDenied(self._format_grant(name, found["role"]))
        run, holder = await self._read_run(connection, place["schema_oid"])
        if schema and place["schema"] is None:
            note = f"there is no schema {schema}"
            return Recorded("", schema, run=run, lock_holder=holder, note=note)
        where = place["schema"]
        note = f"there is no table {TABLE} in {where or 'the search_path'}"
        if found["elsewhere"]:
            note += f" (there is one in {', '.join(found['elsewhere'][:3])})"
        return Recorded("", where, run=run, lock_holder=holder, note=note)

    def _format_grant(self, schema: str, role: str) -> str:
        return (
            f"{self._session.place}: role {role} may not use the schema {schema}; "
            f"GRANT USAGE ON SCHEMA {schema} TO {role}"
        )


def _unquote(part: str, role: str) -> str:
    name = part.strip().strip('"').replace('""', '"')
    return role if name == "$user" else name
