"""Open a connection to PostgreSQL, and translate its errors into one line each."""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

from sidecar.databases.base import TABLE, Address
from sidecar.databases.postgres.attempt import Connection, attempt
from sidecar.databases.postgres.dsn import (
    check_demands,
    format_place,
    get_target_session_attrs,
    to_libpq,
    without_addresses,
)
from sidecar.databases.postgres.errors import classify_error
from sidecar.databases.postgres.hosts import Host, parse_hosts
from sidecar.databases.postgres.service_file import apply_service
from sidecar.databases.postgres.tls import Tls
from sidecar.errors import (
    DatabaseDenied,
    DatabaseError,
    DatabaseTimeout,
    DatabaseUnreachable,
    UsageError,
)
from sidecar.regular_file import NotRegularFile

TRY_NEXT_HOST: Final = (
    OSError,
    TimeoutError,
    asyncpg.CannotConnectNowError,
    asyncpg.ConnectionDoesNotExistError,
    asyncpg.TooManyConnectionsError,
    asyncpg.TargetServerAttributeNotMatched,
)
"""What makes libpq try the next host; a refused password does not."""


class Connector:
    """Where to connect, as libpq would; every connect reads secrets and files anew."""

    def __init__(self, address: Address, application_name: str) -> None:
        """Take the address; raises UsageError if its URL is invalid."""
        self._address = address
        self._application_name = application_name
        self._dsn = to_libpq(address.url or "postgresql://", address.options)
        check_demands(os.environ, "PG")
        parse_hosts(self._dsn, os.environ)  # A port that is no number is refused at once.
        self._wanted = get_target_session_attrs(self._dsn) or os.environ.get("PGTARGETSESSIONATTRS")
        self.place = format_place(
            address.url, os.environ.get("PGHOST"), os.environ.get("PGDATABASE")
        )
        self.table = f"{quote(address.schema)}.{TABLE}" if address.schema else TABLE

    async def open(self) -> asyncpg.Connection:
        """Connect to the first host that accepts us; `connect_timeout` is for each of them.

        Raises DatabaseDenied, and what asyncpg raises; see `translate_error`.
        """
        # One attempt a host, as libpq has it: asyncpg has one limit for all hosts together,
        # so that a silent first one would hide the others for ever.
        dsn = apply_service(self._dsn, os.environ)
        if refusal := Tls(dsn, os.environ).check_key_permissions():
            raise DatabaseDenied(f"{self.place}: {refusal}")
        passes = ("standby", "any") if self._wanted == "prefer-standby" else (self._wanted,)
        hosts = parse_hosts(dsn, os.environ)
        attempts = [(host, wanted) for wanted in passes for host in hosts]
        dsn = without_addresses(dsn)
        for host, wanted in attempts[:-1]:
            try:
                return await self._connect(dsn, host, wanted)
            except TRY_NEXT_HOST:
                continue
        host, wanted = attempts[-1]
        return await self._connect(dsn, host, wanted)

    async def _connect(self, dsn: str, host: Host, wanted: str | None) -> asyncpg.Connection:
        async with asyncio.timeout(self._address.connect_timeout):
            return await attempt(
                lambda loop: asyncpg.connect(  # type: ignore[misc]  # too many unions
                    dsn,
                    loop=loop,
                    connection_class=Connection,
                    host=host.name,
                    port=host.port,
                    target_session_attrs=wanted,  # type: ignore[arg-type]  # a string does as well
                    ssl=Tls(dsn, os.environ).create_context(),
                    password=self._address.password,
                    timeout=self._address.connect_timeout,
                    # Bounds what asyncpg does on its own after a read was cancelled, too: it
                    # connects once more to cancel the query.
                    command_timeout=self._address.read_timeout + 0.5,
                    # A prepared statement outlives its transaction, and behind a pooler belongs
                    # to whoever gets the server connection next.
                    statement_cache_size=0,
                    server_settings={"application_name": self._application_name},
                ),
                host.address,
            )

    def translate_error(self, error: Exception, limit: float) -> DatabaseError:
        """Return our error for one of the driver; `limit` is the timeout in seconds."""
        text = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, TimeoutError):
            return DatabaseTimeout(f"{self.place}: no answer within {limit:g} s")
        if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
            return DatabaseUnreachable(f"{self.place}: no host that answers is {self._wanted}")
        missing = isinstance(
            error, FileNotFoundError | NotRegularFile | PermissionError | ssl.SSLError
        )
        if missing and (file := Tls(self._dsn, os.environ).find_unreadable_file()):
            return DatabaseDenied(f"{self.place}: {file}")
        if type(error) is ValueError:
            # asyncpg repeats what it cannot read as a number, and that may be a password.
            return DatabaseUnreachable(
                f"{self.place}: a host, a port or the passfile cannot be understood"
            )
        error_class, message = classify_error(error, text, self.table)
        return error_class(f"{self.place}: {message}")


Prepare = Callable[[asyncpg.Connection], Awaitable[None]]


class Session:
    """One connection, held from its first use to `release`; dropped when something fails on it."""

    def __init__(self, address: Address, application_name: str) -> None:
        """Take the address; raises UsageError if its URL is invalid."""
        self._address = address
        self.connector = Connector(address, application_name)
        self.place = self.connector.place
        self.connection: asyncpg.Connection | None = None

    @asynccontextmanager
    async def use(self, prepare: Prepare | None = None) -> AsyncIterator[asyncpg.Connection]:
        """Yield the connection, opened and prepared if it is not open.

        Raises DatabaseError for whatever the driver raises meanwhile.
        """
        limit = self._address.connect_timeout
        try:
            if self.connection is None or self.connection.is_closed():
                self.connection = await self.connector.open()
                limit = self._address.read_timeout
                if prepare is not None:
                    await prepare(self.connection)
            limit = self._address.read_timeout
            yield self.connection
        except (DatabaseError, UsageError):
            self.drop()
            raise
        except Exception as error:
            self.drop()
            raise self.connector.translate_error(error, limit) from error
        except BaseException:
            self.drop()
            raise

    def drop(self) -> None:
        """Close the socket at once, without the protocol's farewell."""
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.terminate()

    async def release(self) -> None:
        """Close the connection, if one is held."""
        connection, self.connection = self.connection, None
        if connection is not None:
            await close(connection)


async def close(connection: asyncpg.Connection) -> None:
    """Close politely, so that the server logs no lost connection; a silent one is dropped."""
    try:
        await connection.close(timeout=1)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        connection.terminate()


def quote(name: str) -> str:
    """Return an identifier as SQL takes any name."""
    return '"' + name.replace('"', '""') + '"'
