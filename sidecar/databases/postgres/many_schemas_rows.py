"""Read the rows of many schemas: in chunks, of very many on two connections at a time.

Tables are read in chunks, each in a transaction of its own, because every table takes
places in the server's lock table (`max_locks_per_transaction`). One that is gone, locked or
forbidden takes no other along.
"""

import asyncio
import math
from collections import deque
from collections.abc import Collection, Sequence
from typing import Final

import asyncpg
import msgspec

from sidecar.core.reason import Reason
from sidecar.databases.base import APPLICATION_NAME, TABLE, Address
from sidecar.databases.postgres.connection import Session
from sidecar.databases.postgres.many_schemas_sql import (
    FIND_LOCKED,
    SERVER,
    format_group_query,
    format_row_query,
)
from sidecar.databases.postgres.search_path import SET_SEARCH_PATH
from sidecar.errors import DatabaseError, UsageError

CHUNK_SIZE: Final = 100
"""Tables read in one transaction; with their indexes they take twice as many locks."""

MANY: Final = 1000
"""Of more schemas a second connection reads half."""

LOCK_TIMEOUT: Final = 0.5
"""Seconds; well below deadlock_timeout (1 s), or whoever drops tenants while we hold their
neighbours could be the one that the server ends."""

GONE: Final = (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError)
LOCKED: Final = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError)
UNREADABLE: Final = (*GONE, *LOCKED, asyncpg.InsufficientPrivilegeError)

# By the index on id no row needs sorting, and PostgreSQL 18 reads without asking another
# process for each page. A hundred plans in one are costly enough for PostgreSQL to compile
# them, or to share them among workers, which takes longer than to read a few pages.
PLANNER_SETTINGS: Final = (
    "SET LOCAL enable_seqscan = off; SET LOCAL jit = off;"
    "SET LOCAL max_parallel_workers_per_gather = 0"
)
HIDE_NOTHING: Final = "SET LOCAL row_security = off"
"""Makes an error of rows that a policy hides."""


class SchemaRows(msgspec.Struct, frozen=True):
    """What was read of one schema."""

    digest: bytes = b""
    """Of its rows; empty when there is no table, or it could not be read."""
    last_applied: float | None = None
    failure: Reason | None = None
    """Why it could not be read."""


class ChunkReader:
    """Reads schemas once; `found` has the rows of each, `gone` the names that went away."""

    def __init__(self, address: Address, texts: dict[bytes, str], locked: Collection[str]) -> None:
        """Take where to read, the rows known by digest, and which tables are locked."""
        self._address = address
        self._texts = texts
        self._locked = set(locked)
        self._todo: deque[Sequence[str]] = deque()
        self._lent = 0
        self.found: dict[str, SchemaRows] = {}
        self.gone: set[str] = set()

    async def read(self, connection: asyncpg.Connection, schemas: Sequence[str]) -> None:
        """Read these schemas; raises what asyncpg raises, once nothing is under way any more."""
        self._todo.extend(
            schemas[at : at + CHUNK_SIZE] for at in range(0, len(schemas), CHUNK_SIZE)
        )
        if len(schemas) <= MANY:
            await self._work(connection)
            return
        aside = asyncio.create_task(self._aside(await connection.fetchval(SERVER)))
        try:
            await self._work(connection)
            if not self._lent:
                aside.cancel()
            await asyncio.wait([aside])
            await self._work(connection)
        finally:
            aside.cancel()
            await asyncio.wait([aside])

    async def _aside(self, server: str) -> None:
        """Take some of the work; what fails here, such as for want of a slot, is done there."""
        session = Session(self._address, APPLICATION_NAME)
        try:
            async with session.use() as connection:
                if await connection.fetchval(SERVER) == server:
                    await self._work(connection, lent=1)
        except (DatabaseError, UsageError):
            return
        finally:
            await session.release()

    async def _work(self, connection: asyncpg.Connection, *, lent: int = 0) -> None:
        while self._todo:
            chunk = self._todo.popleft()
            self._lent += lent
            try:
                await self._read_chunk(connection, chunk)
            except BaseException:
                self._todo.append(chunk)
                raise
            finally:
                self._lent -= lent

    async def _read_chunk(self, connection: asyncpg.Connection, chunk: Sequence[str]) -> None:
        locked = self._locked.intersection(chunk)
        self.found |= dict.fromkeys(locked, SchemaRows(failure=Reason.DATABASE_TIMEOUT))
        schemas = [name for name in chunk if name not in locked]
        if not schemas:
            return
        try:
            await self._read_together(connection, schemas)
        except UNREADABLE as error:
            await connection.execute("ROLLBACK")
            if len(schemas) == 1:
                self._record_failure(schemas[0], error)
                return
            if isinstance(error, LOCKED):
                self._locked |= await find_locked_schemas(connection, self._address)
            parts = [schemas] if self._locked.intersection(schemas) else [[s] for s in schemas]
            for part in parts:
                await self._read_chunk(connection, part)

    async def _read_together(self, connection: asyncpg.Connection, schemas: Sequence[str]) -> None:
        begin = format_begin(self._address, LOCK_TIMEOUT)
        await connection.execute(f"{begin};{HIDE_NOTHING};{PLANNER_SETTINGS}")
        for group in await connection.fetch(format_group_query(schemas)):
            names = [schemas[number] for number in group["numbers"]]
            if group["digest"] not in self._texts:
                (row,) = await connection.fetch(format_row_query(names[0]))
                self._texts[group["digest"]] = row["text"]
            self.found |= dict.fromkeys(names, SchemaRows(group["digest"], group["at"]))
        await connection.execute("COMMIT")

    def _record_failure(self, schema: str, error: asyncpg.PostgresError) -> None:
        if isinstance(error, GONE):
            self.gone.add(schema)
            self.found[schema] = SchemaRows()
        else:
            locked = isinstance(error, LOCKED)
            why = Reason.DATABASE_TIMEOUT if locked else Reason.DATABASE_DENIED
            self.found[schema] = SchemaRows(failure=why)


async def find_locked_schemas(connection: asyncpg.Connection, address: Address) -> set[str]:
    """Return the schemas whose table another session has locked, or waits to lock."""
    await connection.execute(format_begin(address))
    rows = await connection.fetch(FIND_LOCKED, TABLE)
    await connection.execute("COMMIT")
    return {row["schema"] for row in rows}


def format_begin(
    address: Address, lock_timeout: float = math.inf, *, role_path: bool = False
) -> str:
    """Return the SQL that begins a read-only transaction with its timeouts and search_path.

    `lock_timeout` is in seconds; half the `read_timeout` if that is less. The search_path is
    that of the role if `role_path`.
    """
    limit = min(address.read_timeout / 2, lock_timeout)
    return (
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
        f"SET LOCAL statement_timeout = {int(address.read_timeout * 1000)};"
        f"SET LOCAL lock_timeout = {int(limit * 1000)}"
    ) + ("" if role_path else f";{SET_SEARCH_PATH}")
