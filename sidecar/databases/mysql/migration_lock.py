"""The migration lock of one database of MySQL or MariaDB: a lock by GET_LOCK.

Tried again and again without waiting inside the server. When the process dies, the
server closes its session, and the lock goes with it. The lock belongs to one server: in a
cluster that takes writes on several, all must migrate through the same one.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from sidecar.databases.base import LOCK_APPLICATION_NAME, Address, StatementTimeouts
from sidecar.databases.mysql.connection import LOCK_NAME, Connector, close, query
from sidecar.errors import DatabaseError, DatabaseTimeout

if TYPE_CHECKING:
    import asyncmy

Rows = tuple[tuple[object, ...], ...]

ACQUIRE: Final = f"SELECT GET_LOCK({LOCK_NAME}, 0) = 1"

HELD: Final = f"SELECT IS_USED_LOCK({LOCK_NAME}) = CONNECTION_ID()"


class MysqlMigrationLock:
    """A session of its own, from the first `acquire` to `release`."""

    def __init__(self, address: Address) -> None:
        """Take the address; raises UsageError if its URL is invalid."""
        self._address = address
        self._connector = Connector(address, LOCK_APPLICATION_NAME)
        self._connection: asyncmy.Connection | None = None
        self._held_query: asyncio.Task[Rows] | None = None

    async def acquire(self) -> bool:
        """Try once; see `MigrationLock.acquire`."""
        async with self._translate_errors():
            if self._connection is None:
                self._connection = await self._connector.open()
            async with asyncio.timeout(self._address.read_timeout):
                ((lock,),) = await query(self._connection, ACQUIRE)
            return bool(lock)

    async def held(self) -> bool:
        """Return whether it is still held; see `MigrationLock.held`."""
        if self._connection is None:
            return False
        # Not cancelled when it takes long: that would cost the session, and the lock with it.
        held = self._held_query or asyncio.create_task(query(self._connection, HELD))
        self._held_query, limit = held, self._address.read_timeout
        answered, _ = await asyncio.wait({held}, timeout=limit)
        if not answered:
            raise DatabaseTimeout(f"{self._connector.place}: no answer within {limit:g} s")
        self._held_query = None
        async with self._translate_errors():
            ((ours,),) = held.result()
            return bool(ours)

    async def count_leftover_sessions(self) -> int:
        """Return 0: nothing distinguishes the sessions of an earlier run's command."""
        return 0

    def environment(self, limits: StatementTimeouts) -> dict[str, str]:
        """Return no variables. Raises UsageError if a timeout is set."""
        limits.refuse("MySQL", "lock_wait_timeout by init_command")
        return {}

    async def release(self) -> None:
        """Release the lock by closing the session that holds it."""
        if self._held_query is not None:
            self._drop()
        connection, self._connection = self._connection, None
        if connection is not None:
            await close(connection)

    @asynccontextmanager
    async def _translate_errors(self) -> AsyncIterator[None]:
        """Drop a session that failed, and raise the DatabaseError for it."""
        try:
            yield
        except Exception as error:
            self._drop()
            if isinstance(error, DatabaseError):
                raise
            raise self._connector.translate_error(error, self._address.read_timeout) from error

    def _drop(self) -> None:
        held, self._held_query = self._held_query, None
        if held is not None:
            held.cancel()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
