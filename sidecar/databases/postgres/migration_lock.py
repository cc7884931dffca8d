"""The turn at migrating one schema: a session advisory lock that one process has at a time.

Asked for with `pg_try_advisory_lock`, again and again and outside any transaction: a
backend that waits inside `pg_advisory_lock` holds a snapshot, and `CREATE INDEX
CONCURRENTLY` in the winner's migration would wait for it for ever. When the process dies,
the server closes its session, and the lock goes with it.
"""

import asyncio
from typing import Final

import asyncpg

from sidecar.databases.base import Address, StatementTimeouts
from sidecar.databases.postgres.connection import TABLE, Session, close, quote
from sidecar.databases.postgres.migrate_runs import (
    APPLIES,
    CLASS,
    HOLDS,
    IN_TRANSACTION,
    LOCKED,
    SESSION,
    WAITS,
)
from sidecar.errors import DatabaseDenied, DatabaseUnreachable, UsageError

SCHEMA: Final = """
    SELECT coalesce((SELECT relnamespace FROM pg_class WHERE oid = to_regclass($1)),
                    to_regnamespace(coalesce($2, quote_ident(current_schema())))::oid)
"""
"""The schema of the table, or the one in which Django would make it."""

TAKE: Final = f"SELECT pg_try_advisory_lock(({CLASS}::bigint << 32) | $1::oid::bigint)"

NAME: Final = "SELECT set_config('application_name', $1, false)"

HOLDER: Final = f"{HOLDS} %s since %.3f"

HELD: Final = f"SELECT EXISTS (SELECT FROM pg_locks WHERE {LOCKED} AND pid = pg_backend_pid())"

# Whoever migrates may rest a moment between two transactions. Who rests for longer is a
# session that a pooler keeps, under the name that its last client gave it; its role is ours,
# whose sessions we may look into.
LEFT: Final = f"""
    SELECT count(*) FROM pg_stat_activity
     WHERE {SESSION.format(name=APPLIES)}
       AND (state IS NULL OR state_change > clock_timestamp() - interval '10 s'
            OR {IN_TRANSACTION})
"""

ORPHAN_CHECK: Final = "client_connection_check_interval=1s"
"""Lets a backend notice in the middle of a statement that its client was killed."""

PROBES: Final = 5

PATIENCE: Final = 600.0
"""Seconds after which an unanswered question whether the turn is held fails by itself."""


class PostgresMigrationLock:
    """A session of its own, from the first `take` to `release`."""

    def __init__(self, address: Address) -> None:
        """Take the address; raises UsageError when its URL cannot be meant."""
        self._address = address
        self._session = Session(address, WAITS)
        self._schema = 0
        self._asking: asyncio.Future[object] | None = None
        self._pooled = False

    async def acquire(self) -> bool:
        """Ask once; see `Turn.take`."""
        async with self._session.speaking(self._begin) as connection:
            if not await connection.fetchval(TAKE, self._schema):
                return False
            now = await connection.fetchval("SELECT extract(epoch FROM clock_timestamp())::float8")
            await connection.execute(NAME, HOLDER % (self._schema, now))
            return True

    async def held(self) -> bool:
        """Tell whether it is still ours; see `Turn.held`."""
        connection, limit = self._session.connection, self._address.read_timeout
        if connection is None or connection.is_closed():
            return False
        if self._asking is None:
            # Not cancelled when it takes long: asyncpg would give up the connection with it,
            # and a server that is only slow still keeps the session, and the lock.
            question = connection.fetchval(HELD, self._schema, timeout=PATIENCE)
            self._asking = asyncio.ensure_future(question)
        done, _ = await asyncio.wait({self._asking}, timeout=limit)
        if not done:
            raise self._session.connector.explained(TimeoutError(), limit)
        asked, self._asking = self._asking, None
        try:
            return bool(asked.result())
        except Exception as error:
            self._session.drop()
            raise self._session.connector.explained(error, limit) from error

    async def left(self) -> int:
        """Return how many sessions of an earlier run's command are still there."""
        if not await self.held():
            raise DatabaseUnreachable(f"{self._session.place}: the session with the turn is lost")
        async with self._session.speaking() as connection:
            count: int = await connection.fetchval(LEFT, self._schema)
            return count

    def environment(self, limits: StatementTimeouts) -> dict[str, str]:
        """Return PGAPPNAME and, where the server takes them, PGOPTIONS."""
        options = []
        connection = self._session.connection
        version = connection.get_server_version() if connection else None
        if version is not None and version.major >= 14:
            options.append(ORPHAN_CHECK)
        if limits.lock_timeout is not None:
            options.append(f"lock_timeout={limits.lock_timeout * 1000:.0f}")
        if limits.statement_timeout is not None:
            options.append(f"statement_timeout={limits.statement_timeout * 1000:.0f}")
        given = [self._address.options] if self._address.options else []
        told = " ".join([*given, *(f"-c {option}" for option in options)])
        name = {"PGAPPNAME": f"{APPLIES} {self._schema}"}
        # A pooler refuses start-up options that it does not know.
        return name if self._pooled else {**name, "PGOPTIONS": told}

    async def release(self) -> None:
        """Give the turn back by closing the session that has it."""
        asking, self._asking = self._asking, None
        if asking is not None:
            asking.cancel()
        await self._session.release()

    async def _begin(self, connection: asyncpg.Connection) -> None:
        self._asking = None
        await self._refuse_transaction_pooler(connection)
        wanted = self._address.schema
        schema = await connection.fetchval(
            SCHEMA, self._session.connector.table, quote(wanted) if wanted else None
        )
        if schema is None:
            what = f"there is no schema {wanted}" if wanted else "no schema of search_path exists"
            raise DatabaseDenied(f"{self._session.place}: {what} to hold {TABLE}; create it")
        self._schema = schema
        await connection.execute(NAME, f"{WAITS} {schema}")

    async def _refuse_transaction_pooler(self, connection: asyncpg.Connection) -> None:
        """Raise UsageError when one connection of ours is served by several backends.

        A pooler makes up the pid that it tells a client; behind one that pools sessions the
        backend stays the same for as long as the connection lives, and nobody else gets it.
        """
        backend = "SELECT pg_backend_pid()"
        first = await connection.fetchval(backend)
        if first == connection.get_server_pid():
            return
        self._pooled = True
        for _ in range(PROBES):
            other = None
            try:
                async with asyncio.timeout(2):
                    other = await self._session.connector.open()
                    second = await other.fetchval(backend)
            except TimeoutError:
                # The pool has one session, and it is ours; or it pools transactions, and is busy.
                async with asyncio.timeout(1):
                    if await connection.fetchval(backend) == first:
                        return
                second = first
            finally:
                if other is not None:
                    await close(other)
            if second == first or await connection.fetchval(backend) != first:
                raise UsageError(
                    f"{self._session.place}: the connection goes through a pooler that pools "
                    "transactions, where a lock would be anybody's; give the server's own address"
                )
