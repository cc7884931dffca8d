"""The turn at migrating one database of MySQL or MariaDB: a lock by GET_LOCK.

Asked for again and again without waiting inside the server. When the process dies, the
server closes its session, and the lock goes with it. The lock belongs to one server: in a
cluster that takes writes on several, all must migrate through the same one.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from sidecar.databases.base import Address, StatementTimeouts
from sidecar.databases.mysql.connection import LOCK, Connector, close, query
from sidecar.errors import DatabaseError, DatabaseTimeout, UsageError

if TYPE_CHECKING:
    import asyncmy

Rows = tuple[tuple[object, ...], ...]

PROGRAM_NAME: Final = "migration-sidecar/turn"

TAKE: Final = f"SELECT GET_LOCK({LOCK}, 0) = 1"

HELD: Final = f"SELECT IS_USED_LOCK({LOCK}) = CONNECTION_ID()"


class MysqlMigrationLock:
    """A session of its own, from the first `take` to `release`."""

    def __init__(self, address: Address) -> None:
        """Take the address; raises UsageError when its URL cannot be meant."""
        self._address = address
        self._connector = Connector(address, PROGRAM_NAME)
        self._connection: asyncmy.Connection | None = None
        self._question: asyncio.Task[Rows] | None = None

    async def acquire(self) -> bool:
        """Ask once; see `Turn.take`."""
        async with self._speaking():
            if self._connection is None:
                self._connection = await self._connector.open()
            async with asyncio.timeout(self._address.read_timeout):
                ((lock,),) = await query(self._connection, TAKE)
            return bool(lock)

    async def held(self) -> bool:
        """Tell whether it is still ours; see `Turn.held`."""
        if self._connection is None:
            return False
        # A question that is given up costs the session, and the turn with it: it stays open.
        question = self._question or asyncio.create_task(query(self._connection, HELD))
        self._question, limit = question, self._address.read_timeout
        answered, _ = await asyncio.wait({question}, timeout=limit)
        if not answered:
            raise DatabaseTimeout(f"{self._connector.place}: no answer within {limit:g} s")
        self._question = None
        async with self._speaking():
            ((ours,),) = question.result()
            return bool(ours)

    async def left(self) -> int:
        """Return 0: the sessions of a dead run's command cannot be told from others."""
        return 0

    def environment(self, limits: StatementTimeouts) -> dict[str, str]:
        """Return nothing; limits reach Django's sessions only through its own settings."""
        if limits.lock_timeout is not None or limits.statement_timeout is not None:
            raise UsageError(
                "lock_timeout_per_statement and statement_timeout are PostgreSQL's; for MySQL set"
                " lock_wait_timeout by init_command in the OPTIONS of Django's DATABASES"
            )
        return {}

    async def release(self) -> None:
        """Give the turn back by closing the session that has it."""
        if self._question is not None:
            self._drop()
        connection, self._connection = self._connection, None
        if connection is not None:
            await close(connection)

    @asynccontextmanager
    async def _speaking(self) -> AsyncIterator[None]:
        """Let go of a session that failed, and say in one line why it did."""
        try:
            yield
        except Exception as error:
            self._drop()
            if isinstance(error, DatabaseError):
                raise
            raise self._connector.explained(error, self._address.read_timeout) from error

    def _drop(self) -> None:
        question, self._question = self._question, None
        if question is not None:
            question.cancel()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
