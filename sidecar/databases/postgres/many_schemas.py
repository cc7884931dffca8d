"""Read `django_migrations` from many schemas of one PostgreSQL database, as django-tenants has it.

The server groups the schemas by the digest of their rows, and only a set that is not known
yet comes over the wire. Between full reads the statistics counters of the tables say which
schemas to read again; they lag by seconds and can be reset, so every few minutes all are
read, and a schema whose rows differ from those of most others is read at every look.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Final

import asyncpg
import msgspec

from sidecar.core.migrations.recorded import MigrateRun, Recorded
from sidecar.core.reason import Reason
from sidecar.databases.base import UNQUERIED_SCHEMAS, Address
from sidecar.databases.postgres.connection import TABLE, Session
from sidecar.databases.postgres.many_schemas_rows import (
    APPLICATION_NAME,
    GONE,
    Found,
    Reading,
    begin,
    locked_in,
)
from sidecar.databases.postgres.many_schemas_sql import LIST, PLACE, SIGNATURE, THERE, regex
from sidecar.databases.postgres.migrate_runs import RUN, RUNNING, run_of
from sidecar.errors import DatabaseDenied

Chosen = tuple[str, list[str], list[str], bool]
"""The parameters of the queries: table, names, patterns, and whether the table must be there."""

FULL: Final = 300.0
"""Seconds between two looks that read every schema."""

EXACT: Final = 200
"""So many schemas are read at every look; of more, those that differ from most others."""

KEEP: Final = 1000
"""A connection that has read more tables is closed: a backend keeps about 10 kB for each."""


UNREAD: Final = {
    Reason.DATABASE_DENIED: f"the role may not read {TABLE}",
    Reason.DATABASE_TIMEOUT: f"another session has locked {TABLE}",
}


class Known(msgspec.Struct, frozen=True):
    """What is known of one schema."""

    counters: str
    found: Found = Found()


class PostgresSchemas:
    """The schemas of one database that names and patterns choose; see `Database`."""

    def __init__(self, address: Address) -> None:
        """Take the address; raises UsageError when its URL cannot be meant."""
        self._address = address
        self._session = Session(address, APPLICATION_NAME)
        self._touched = 0
        self._known: dict[str, Known] = {}
        self._texts: dict[bytes, str] = {}
        self._named: list[str] = []
        self._has_asked = False
        self._signature: bytes | None = None
        self._full_at = float("-inf")
        self._recorded: Recorded | None = None

    async def read(self) -> Recorded:
        """Return what is recorded in each schema; see `Database.read`."""
        async with self._session.speaking(self._fresh) as connection:
            recorded = await self._look(connection)
        if self._touched > KEEP:
            await self.release()
        return recorded

    async def release(self) -> None:
        """Close the connection, if one is held."""
        await self._session.release()

    async def _fresh(self, connection: asyncpg.Connection) -> None:  # noqa: ARG002 - a Prepare
        self._touched = 0

    async def _look(self, connection: asyncpg.Connection) -> Recorded:
        before = self._known, self._signature, self._full_at
        self._known = dict(self._known)
        try:
            await self._looked(connection)
            run = await self._run(connection)
        except BaseException:
            # Counters whose rows were not read must not count as seen.
            self._known, self._signature, self._full_at = before
            raise
        if self._known != before[0] or self._recorded is None:
            self._recorded = self._grouped()
        return msgspec.structs.replace(self._recorded, run=run)

    async def _looked(self, connection: asyncpg.Connection) -> None:
        """Take in what is there."""
        now = asyncio.get_running_loop().time()
        await connection.execute(begin(self._address))
        chosen = await self._chosen(connection)
        (row,) = await connection.fetch(SIGNATURE, *chosen)
        full = now - self._full_at >= FULL or row["uncounted"]
        # What could not be read, or is not there, changes without any counter.
        unread = any(not known.found.digest for known in self._known.values())
        named = set(chosen[1]) - self._known.keys()
        changed = full or unread or bool(named) or row["signature"] != self._signature
        odd = self._odd()
        if changed:
            odd = await self._list(connection, chosen, odd, full=full)
        await connection.execute("COMMIT")
        gone = await self._read(connection, odd)
        if gone:
            await self._forget(connection, gone - set(chosen[1]))
        if full:
            self._full_at = now
        self._signature = None if gone else row["signature"]
        self._named = chosen[1]

    async def _chosen(self, connection: asyncpg.Connection) -> Chosen:
        """Return which schemas the settings choose."""
        wanted = self._address.schemas
        names = [name for name in wanted if name != "all" and "*" not in name]
        patterns = [regex(name) for name in wanted if "*" in name]
        if query := self._address.schemas_query:
            names += await self._asked(connection, query)
        return TABLE, names, ["^"] if "all" in wanted else patterns, "all" in wanted

    async def _asked(self, connection: asyncpg.Connection, query: str) -> list[str]:
        try:
            rows = await connection.fetch(query)
        except (asyncpg.SyntaxOrAccessError, *GONE) as error:
            if self._has_asked or not isinstance(error, GONE):
                told = f"{self._session.place}: schemas_query: {error}; correct the query, or grant"
                raise DatabaseDenied(f"{told} the sidecar's role what it reads") from None
            # In a new database the table that it asks is not there before it is migrated.
            await connection.execute("ROLLBACK")
            await connection.execute(begin(self._address))
            return [UNQUERIED_SCHEMAS]
        self._has_asked = True
        return [str(row[0]) for row in rows if row[0] is not None]

    async def _list(
        self,
        connection: asyncpg.Connection,
        chosen: Chosen,
        odd: Sequence[str],
        *,
        full: bool,
    ) -> list[str]:
        """Take in which schemas there are; return those to read."""
        again, found, rows = set(odd), {}, []
        for row in await connection.fetch(LIST, *chosen):
            schema, counters = row["schema"], row["counters"]
            old = self._known.get(schema)
            if not row["present"]:
                found[schema] = Known(counters)
            elif not row["allowed"]:
                found[schema] = Known(counters, Found(failure=Reason.DATABASE_DENIED))
            else:
                stale = old is None or old.counters != counters or not old.found.digest
                if full or stale or schema in again:
                    rows.append(schema)
                found[schema] = Known(counters, old.found if old else Found())
        found |= {name: Known("") for name in chosen[1] if name not in found}
        self._known = found
        return rows

    def _odd(self) -> list[str]:
        """Return the schemas to read at every look: all of few, of many those unlike most."""
        readable = {
            name: known.found.digest for name, known in self._known.items() if known.found.digest
        }
        if len(readable) <= EXACT:
            return [*readable]
        ((most, _),) = Counter(readable.values()).most_common(1)
        return [name for name, digest in readable.items() if digest != most][:EXACT]

    async def _read(self, connection: asyncpg.Connection, schemas: Sequence[str]) -> set[str]:
        """Take in the rows of these schemas; return those whose table went away meanwhile."""
        waiting = Reason.DATABASE_TIMEOUT in {self._known[name].found.failure for name in schemas}
        locked = await locked_in(connection) if waiting else ()
        reading = Reading(self._address, self._texts, locked)
        await reading.read(connection, schemas)
        self._touched += len(schemas)
        for name in schemas:
            self._known[name] = Known(self._known[name].counters, reading.found[name])
        return reading.gone

    async def _forget(self, connection: asyncpg.Connection, gone: AbstractSet[str]) -> None:
        """Forget schemas that were dropped while they were read; others have lost their table."""
        await connection.execute(begin(self._address))
        rows = await connection.fetch(THERE, [*gone])
        await connection.execute("COMMIT")
        for name in gone - {row["schema"] for row in rows}:
            del self._known[name]

    async def _run(self, connection: asyncpg.Connection) -> MigrateRun | None:
        """Look for a run of migrate, after the rows were read: they are older than it then."""
        await connection.execute(begin(self._address))
        place = await connection.fetchval(PLACE, TABLE)
        run = None
        if place is not None and await connection.fetchval(f"SELECT {RUNNING}", place):
            run = run_of((await connection.fetch(RUN, place))[0])
        await connection.execute("COMMIT")
        return run

    def _grouped(self) -> Recorded:
        groups: dict[tuple[bytes, Reason | None], list[str]] = {}
        for name in sorted(self._known):
            found = self._known[name].found
            groups.setdefault((found.digest, found.failure), []).append(name)
        digests = {digest for digest, _ in groups}
        self._texts = {key: text for key, text in self._texts.items() if key in digests}
        if not groups:
            named = ", ".join([*self._named, *self._address.schemas])
            return Recorded("", note=f"no schema of {named or 'the query'} is there")
        first, *others = (self._group(*key, tuple(names)) for key, names in groups.items())
        return msgspec.structs.replace(first, others=tuple(others))

    def _group(self, digest: bytes, failure: Reason | None, names: tuple[str, ...]) -> Recorded:
        schema = names[0] if len(names) == 1 else None
        if failure is not None:
            told = f"{self._session.place}: {UNREAD[failure]} in {_some(names)}"
            return Recorded("", schema, schemas=names, failure=failure, message=told)
        times = [self._known[name].found.last_applied for name in names]
        last = max((time for time in times if time is not None), default=None)
        text = self._texts.get(digest, "")
        note = None if digest else f"there is no table {TABLE} in {_some(names)}"
        return Recorded(text, schema, last, note, schemas=names)


def _some(names: Sequence[str], shown: int = 3) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more
