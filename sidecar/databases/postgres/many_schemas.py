"""Read `django_migrations` from many schemas of one PostgreSQL database, as of django-tenants.

The server groups the schemas by the digest of their rows, and only a set that is not known
yet comes over the wire. Between full reads the statistics counters of the tables show which
schemas to read again; they lag by seconds and can be reset, so every few minutes all are
read, and a schema whose rows differ from those of most others is read every time.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Final

import asyncpg
import msgspec

from sidecar.core.migrations.recorded import Recorded
from sidecar.core.reason import Reason
from sidecar.databases.base import APPLICATION_NAME, TABLE, UNQUERIED_SCHEMAS, Address
from sidecar.databases.postgres.connection import Session
from sidecar.databases.postgres.many_schemas_rows import (
    GONE,
    ChunkReader,
    SchemaRows,
    find_locked_schemas,
    format_begin,
)
from sidecar.databases.postgres.many_schemas_sql import FIND_SCHEMAS, LIST, SIGNATURE, format_regex
from sidecar.databases.postgres.migrate_runs import RUN, RUNNING_ANYWHERE, FoundRun, parse_run
from sidecar.databases.postgres.search_path import SET_SEARCH_PATH, resolve
from sidecar.errors import DatabaseDenied

Selection = tuple[str, list[str], list[str], bool]
"""The parameters of the queries: table, names, patterns, and whether the table must be there."""

FULL_READ_INTERVAL: Final = 300.0
"""Seconds between two reads of every schema."""

MAX_ALWAYS_READ: Final = 200
"""Schemas that are read every time; of more, those that differ from most others."""

MAX_TABLES_PER_CONNECTION: Final = 1000
"""One that has read more is closed afterwards: a backend keeps about 10 kB for each."""

FAILURES: Final = {
    Reason.DATABASE_DENIED: f"the role may not read {TABLE}",
    Reason.DATABASE_TIMEOUT: f"another session has locked {TABLE}",
}


class KnownSchema(msgspec.Struct, frozen=True):
    """What is known of one schema."""

    counters: str
    rows: SchemaRows = SchemaRows()


class PostgresSchemas:
    """The schemas of one database that names and patterns select; see `Database`."""

    def __init__(self, address: Address) -> None:
        """Take the address; raises UsageError if its URL is invalid."""
        self._address = address
        self._session = Session(address, APPLICATION_NAME)
        self._tables_read = 0
        self._known: dict[str, KnownSchema] = {}
        self._texts: dict[bytes, str] = {}
        self._named: list[str] = []
        self._has_queried = False
        self._signature: bytes | None = None
        self._full_at = float("-inf")
        self._recorded: Recorded | None = None

    async def read(self) -> Recorded:
        """Return what is recorded in each schema; see `Database.read`."""
        async with self._session.use(self._reset) as connection:
            recorded = await self._read_schemas(connection)
        if self._tables_read > MAX_TABLES_PER_CONNECTION:
            await self.release()
        return recorded

    async def release(self) -> None:
        """Close the connection, if one is held."""
        await self._session.release()

    async def _reset(self, connection: asyncpg.Connection) -> None:  # noqa: ARG002 - a Prepare
        self._tables_read = 0

    async def _read_schemas(self, connection: asyncpg.Connection) -> Recorded:
        before = self._known, self._signature, self._full_at
        self._known = dict(self._known)
        try:
            await self._update_known(connection)
            run, holder = await self._read_run(connection)
        except BaseException:
            # Counters whose rows were not read must not count as known.
            self._known, self._signature, self._full_at = before
            raise
        if self._known != before[0] or self._recorded is None:
            self._recorded = self._group_schemas()
        return msgspec.structs.replace(self._recorded, run=run, lock_holder=holder)

    async def _update_known(self, connection: asyncpg.Connection) -> None:
        """Read which schemas there are, and the rows of those that may have changed."""
        now = asyncio.get_running_loop().time()
        # The operator's query is asked with the search_path of the role.
        role_path = bool(self._address.schemas_query)
        await connection.execute(format_begin(self._address, role_path=role_path))
        selection = await self._select_schemas(connection)
        (row,) = await connection.fetch(SIGNATURE, *selection)
        full = now - self._full_at >= FULL_READ_INTERVAL or row["uncounted"]
        # What could not be read, or is not there, changes without any counter.
        unread = any(not known.rows.digest for known in self._known.values())
        named = set(selection[1]) - self._known.keys()
        changed = full or unread or bool(named) or row["signature"] != self._signature
        to_read = self._find_always_read()
        if changed:
            to_read = await self._list_schemas(connection, selection, set(to_read), full=full)
        await connection.execute("COMMIT")
        gone = await self._read_rows(connection, to_read)
        if gone:
            await self._forget(connection, gone - set(selection[1]))
        if full:
            self._full_at = now
        self._signature = None if gone else row["signature"]
        self._named = selection[1]

    async def _select_schemas(self, connection: asyncpg.Connection) -> Selection:
        """Return the parameters for the schemas that the settings select."""
        given = self._address.schemas
        everything = "all" in given
        names = [name for name in given if name != "all" and "*" not in name]
        patterns = [format_regex(name) for name in given if "*" in name]
        if query := self._address.schemas_query:
            names += await self._run_query(connection, query)
        return TABLE, names, ["^"] if everything else patterns, everything

    async def _run_query(self, connection: asyncpg.Connection, query: str) -> list[str]:
        try:
            rows = await connection.fetch(query)
        except (asyncpg.SyntaxOrAccessError, *GONE) as error:
            if self._has_queried or not isinstance(error, GONE):
                raise DatabaseDenied(
                    f"{self._session.place}: schemas_query: {error};"
                    " correct the query, or grant the sidecar's role what it reads"
                ) from None
            # In a new database the table that it reads is not there before it is migrated.
            await connection.execute("ROLLBACK")
            await connection.execute(format_begin(self._address))
            return [UNQUERIED_SCHEMAS]
        await connection.execute(SET_SEARCH_PATH)
        self._has_queried = True
        return [str(row[0]) for row in rows if row[0] is not None]

    async def _list_schemas(
        self,
        connection: asyncpg.Connection,
        selection: Selection,
        always: AbstractSet[str],
        *,
        full: bool,
    ) -> list[str]:
        """Update which schemas there are; return those to read."""
        found, to_read = {}, []
        for row in await connection.fetch(LIST, *selection):
            schema, counters = row["schema"], row["counters"]
            old = self._known.get(schema)
            if not row["present"]:
                found[schema] = KnownSchema(counters)
            elif not row["allowed"]:
                found[schema] = KnownSchema(counters, SchemaRows(failure=Reason.DATABASE_DENIED))
            else:
                stale = old is None or old.counters != counters or not old.rows.digest
                if full or stale or schema in always:
                    to_read.append(schema)
                found[schema] = KnownSchema(counters, old.rows if old else SchemaRows())
        found |= {name: KnownSchema("") for name in selection[1] if name not in found}
        self._known = found
        return to_read

    def _find_always_read(self) -> list[str]:
        """Return the schemas to read every time: all of few, of many those unlike most."""
        readable = {
            name: known.rows.digest for name, known in self._known.items() if known.rows.digest
        }
        if len(readable) <= MAX_ALWAYS_READ:
            return [*readable]
        ((most, _),) = Counter(readable.values()).most_common(1)
        return [name for name, digest in readable.items() if digest != most][:MAX_ALWAYS_READ]

    async def _read_rows(self, connection: asyncpg.Connection, schemas: Sequence[str]) -> set[str]:
        """Update the rows of these schemas; return those whose table went away meanwhile."""
        waiting = Reason.DATABASE_TIMEOUT in {self._known[name].rows.failure for name in schemas}
        locked = await find_locked_schemas(connection, self._address) if waiting else ()
        reader = ChunkReader(self._address, self._texts, locked)
        await reader.read(connection, schemas)
        self._tables_read += len(schemas)
        for name in schemas:
            self._known[name] = KnownSchema(self._known[name].counters, reader.found[name])
        return reader.gone

    async def _forget(self, connection: asyncpg.Connection, gone: AbstractSet[str]) -> None:
        """Forget schemas that were dropped while they were read; others have lost their table."""
        await connection.execute(format_begin(self._address))
        rows = await connection.fetch(FIND_SCHEMAS, [*gone])
        await connection.execute("COMMIT")
        for name in gone - {row["schema"] for row in rows}:
            del self._known[name]

    async def _read_run(self, connection: asyncpg.Connection) -> FoundRun:
        """Return what `parse_run` does; after the rows, which are older than the run then."""
        await connection.execute(format_begin(self._address, role_path=True))
        schema = (await resolve(connection, None, local=True))["schema_oid"]
        found: FoundRun = None, None
        if schema is not None and await connection.fetchval(f"SELECT {RUNNING_ANYWHERE}"):
            found = parse_run((await connection.fetch(RUN, schema))[0])
        await connection.execute("COMMIT")
        return found

    def _group_schemas(self) -> Recorded:
        groups: dict[tuple[bytes, Reason | None], list[str]] = {}
        for name in sorted(self._known):
            rows = self._known[name].rows
            groups.setdefault((rows.digest, rows.failure), []).append(name)
        digests = {digest for digest, _ in groups}
        self._texts = {key: text for key, text in self._texts.items() if key in digests}
        if not groups:
            named = ", ".join([*self._named, *self._address.schemas])
            return Recorded("", note=f"no schema of {named or 'the query'} is there")
        first, *others = (self._record(*key, tuple(names)) for key, names in groups.items())
        return msgspec.structs.replace(first, others=tuple(others))

    def _record(self, digest: bytes, failure: Reason | None, names: tuple[str, ...]) -> Recorded:
        schema = names[0] if len(names) == 1 else None
        if failure is not None:
            message = f"{self._session.place}: {FAILURES[failure]} in {_format_names(names)}"
            return Recorded("", schema, schemas=names, failure=failure, message=message)
        times = [self._known[name].rows.last_applied for name in names]
        last = max((time for time in times if time is not None), default=None)
        text = self._texts.get(digest, "")
        note = None if digest else f"there is no table {TABLE} in {_format_names(names)}"
        return Recorded(text, schema, last, note, schemas=names)


def _format_names(names: Sequence[str], limit: int = 3) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
