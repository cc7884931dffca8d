"""The migration lock of one schema: a session advisory lock that one process holds at a time.

Tried with `pg_try_advisory_lock`, again and again and outside any transaction: a
backend that waits inside `pg_advisory_lock` holds a snapshot, and `CREATE INDEX
CONCURRENTLY` in the holder's migration would wait for it for ever. When the process dies,
the server closes its session, and the lock goes with it.
"""

import asyncio
from contextlib import AsyncExitStack
from typing import Final

import asyncpg

from sidecar.databases.base import TABLE, Address, StatementTimeouts
from sidecar.databases.postgres.connection import Session, close
from sidecar.databases.postgres.migrate_runs import (
    COMMAND_NAME,
    HOLDER_NAME,
    IN_TRANSACTION,
    LOCK_CLASS,
    LOCKED,
    SESSION,
    WAITER_NAME,
)
from sidecar.databases.postgres.search_path import resolve
from sidecar.errors import DatabaseDenied, DatabaseUnreachable, UsageError

ACQUIRE: Final = f"SELECT pg_try_advisory_lock(({LOCK_CLASS}::bigint << 32) | $1::oid::bigint)"

SET_NAME: Final = "SELECT set_config('application_name', $1, false)"

HELD: Final = f"SELECT EXISTS (SELECT FROM pg_locks WHERE {LOCKED} AND pid = pg_backend_pid())"

# A command may be idle for a moment between two transactions. A session that is idle for
# longer is one that a pooler keeps, under the name that its last client gave it; its role is
# ours, whose sessions we may inspect.
COUNT_LEFTOVER: Final = f"""
    SELECT count(*) FROM pg_stat_activity
     WHERE {SESSION.format(name=COMMAND_NAME)}
       AND (state IS NULL OR state_change > clock_timestamp() - interval '10 s'
            OR {IN_TRANSACTION})
"""

CONNECTION_CHECK: Final = "client_connection_check_interval=1s"
"""Lets a backend notice in the middle of a statement that its client was killed."""

BACKEND: Final = """
    SELECT pid, backend_start AS began, pg_catalog.clock_timestamp() AS now
      FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid())
"""

MAX_POOLER_PROBES: Final = 100
"""Connections opened at once to find that a pooler shares our backend; more than a pool has."""

ENOUGH_NEW_BACKENDS: Final = 3
"""New backends that a pooler opens for them; some other client may have had ours at the first."""

HELD_QUERY_TIMEOUT: Final = 600.0
"""Seconds after which an unanswered query whether the lock is held fails by itself."""


class PostgresMigrationLock:
    """A session of its own, from the first `acquire` to `release`."""

    def __init__(self, address: Address) -> None:
        """Take the address; raises UsageError if its URL is invalid."""
        self._address = address
        self._session = Session(address, WAITER_NAME)
        self._schema = 0
        self._held_query: asyncio.Future[object] | None = None
        self._pooled = False

    async def acquire(self) -> bool:
        """Try once; see `MigrationLock.acquire`."""
        async with self._session.use(self._prepare) as connection:
            if not await connection.fetchval(ACQUIRE, self._schema):
                return False
            now = await connection.fetchval("SELECT extract(epoch FROM clock_timestamp())::float8")
            await connection.execute(SET_NAME, f"{HOLDER_NAME} {self._schema} since {now:.3f}")
            return True

    async def held(self) -> bool:
        """Return whether it is still held; see `MigrationLock.held`."""
        connection, limit = self._session.connection, self._address.read_timeout
        if connection is None or connection.is_closed():
            return False
        if self._held_query is None:
            # Not cancelled when it takes long: asyncpg would drop the connection with it,
            # and a server that is only slow still keeps the session, and the lock.
            query = connection.fetchval(HELD, self._schema, timeout=HELD_QUERY_TIMEOUT)
            self._held_query = asyncio.ensure_future(query)
        done, _ = await asyncio.wait({self._held_query}, timeout=limit)
        if not done:
            raise self._session.connector.translate_error(TimeoutError(), limit)
        answered, self._held_query = self._held_query, None
        try:
            return bool(answered.result())
        except Exception as error:
            self._session.drop()
            raise self._session.connector.translate_error(error, limit) from error

    async def count_leftover_sessions(self) -> int:
        """Return how many sessions of an earlier migrate run's command are still there."""
        if not await self.held():
            raise DatabaseUnreachable(
                f"{self._session.place}: the session with the migration lock is lost"
            )
        async with self._session.use() as connection:
            count: int = await connection.fetchval(COUNT_LEFTOVER, self._schema)
            return count

    def environment(self, limits: StatementTimeouts) -> dict[str, str]:
        """Return PGAPPNAME and, where the server takes them, PGOPTIONS."""
        options = []
        connection = self._session.connection
        version = connection.get_server_version() if connection else None
        if version is not None and version.major >= 14:
            options.append(CONNECTION_CHECK)
        if limits.lock_timeout is not None:
            options.append(f"lock_timeout={limits.lock_timeout * 1000:.0f}")
        if limits.statement_timeout is not None:
            options.append(f"statement_timeout={limits.statement_timeout * 1000:.0f}")
        given = [self._address.options] if self._address.options else []
        pgoptions = " ".join([*given, *(f"-c {option}" for option in options)])
        name = {"PGAPPNAME": f"{COMMAND_NAME} {self._schema}"}
        # A pooler refuses start-up options that it does not know.
        return name if self._pooled else {**name, "PGOPTIONS": pgoptions}

    async def release(self) -> None:
        """Release the lock by closing the session that holds it."""
        query, self._held_query = self._held_query, None
        if query is not None:
            query.cancel()
        await self._session.release()

    async def _prepare(self, connection: asyncpg.Connection) -> None:
        self._held_query = None
        await self._refuse_transaction_pooling(connection)
        wanted = self._address.schema
        schema = (await resolve(connection, wanted, local=False))["schema_oid"]
        if schema is None:
            what = f"there is no schema {wanted}" if wanted else "no schema of search_path exists"
            raise DatabaseDenied(f"{self._session.place}: {what} to hold {TABLE}; create it")
        self._schema = schema
        await connection.execute(SET_NAME, f"{WAITER_NAME} {schema}")

    async def _refuse_transaction_pooling(self, connection: asyncpg.Connection) -> None:
        """Raise UsageError if one connection of ours is served by several backends."""
        (ours,) = await connection.fetch(BACKEND)
        # A pooler makes up the pid that it sends a client.
        if ours["pid"] == connection.get_server_pid():
            return
        self._pooled = True
        if await self._is_shared(connection, ours):
            raise UsageError(
                f"{self._session.place}: the connection goes through a pooler with transaction "
                "pooling, which does not keep a lock; give the server's own address"
            )

    async def _is_shared(self, connection: asyncpg.Connection, ours: asyncpg.Record) -> bool:
        """Return whether others are given our backend while our connection is idle.

        Each further connection keeps a backend busy. In transaction pooling ours is one of
        those that wait to be used, and is used, in whatever order, before new ones are opened.
        """
        new = 0
        async with AsyncExitStack() as opened:
            for _ in range(MAX_POOLER_PROBES):
                try:
                    async with asyncio.timeout(2):
                        other = await self._session.connector.open()
                        opened.push_async_callback(close, other)
                        await other.execute("BEGIN")
                        (theirs,) = await other.fetch(BACKEND)
                except TimeoutError:
                    # The pool is empty: who has the backend to itself is answered even so.
                    async with asyncio.timeout(1):
                        return bool(await connection.fetchval(BACKEND) != ours["pid"])
                current = await connection.fetchval(BACKEND)
                if theirs["pid"] == ours["pid"] or current != ours["pid"]:
                    return True
                new += theirs["began"] > ours["now"]
                if new == ENOUGH_NEW_BACKENDS:
                    return False
        return True
