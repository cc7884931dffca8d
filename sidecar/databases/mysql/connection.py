"""Open a connection to MySQL or MariaDB, and translate its errors into one line each.

asyncmy rather than aiomysql: a read of 500 rows costs 0.3 ms of the processor against 4.7,
TLS that was asked for is never silently left out, and releases come more often. Its price
is 5 MB more memory, which only those pay who have the extra.
"""

import asyncio
from typing import Final

from asyncmy.connection import Connection
from asyncmy.constants import CLIENT
from asyncmy.errors import MySQLError, OperationalError

from sidecar.databases.base import Address
from sidecar.databases.mysql.dsn import Place, Tls, parse_url
from sidecar.databases.mysql.errors import NoTls, classify_error
from sidecar.databases.mysql.tls import create_context
from sidecar.databases.tls_files import find_unreadable_file
from sidecar.errors import DatabaseDenied, DatabaseError, DatabaseTimeout, UsageError

LOCK_NAME: Final = """
    CONCAT('migration-sidecar/', LEFT(SHA2(
        IF(@@lower_case_table_names, LOWER(DATABASE()), DATABASE()), 256), 40))
"""
"""SQL for the lock's name, at most 64 characters; names belong to the whole server."""

# Each server reads the comment that is meant for it. A read cannot write, whatever the role may,
# and sees what is committed by now, whatever the server's defaults and init_connect are.
SETUP: Final = (
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY",
    """
    SET SESSION autocommit = 1, SESSION lock_wait_timeout = {lock},
        SESSION character_set_results = utf8mb4
        /*M!100101 , SESSION max_statement_time = {seconds} */
        /*!50708 , SESSION max_execution_time = {milliseconds} */
    """,
)


def _refuse_plain_text(_: Connection) -> None:
    """Refuse to send a password without TLS, as a server may request. Raises OperationalError."""
    raise OperationalError(2059, "the server asks for the password in plain text")


PLAIN_TEXT_PLUGINS: Final = dict.fromkeys(
    ("mysql_clear_password", "mysql_old_password", "dialog"), _refuse_plain_text
)


class AbruptConnection(Connection):
    """A connection whose `close` ends it at once, as `ensure_closed` does not.

    The driver's own waits, where there is TLS, up to 30 seconds for the server's goodbye, and
    keeps the socket of a silent one open for as long.
    """

    def close(self) -> None:
        """Close the socket now."""
        transport = self._transport  # type: ignore[attr-defined]  # its stub lacks it
        # First: before Python 3.11.4 a TLS transport that was closed cannot be aborted.
        if transport is not None:
            transport.abort()
        super().close()


class Connector:
    """Where to connect; every connect reads secrets and files anew."""

    def __init__(self, address: Address, program_name: str) -> None:
        """Take the address; raises UsageError if its URL is invalid."""
        if address.schema is not None or address.schemas or address.schemas_query:
            raise UsageError("schemas: MySQL has none within a database; name it in the URL")
        self._address = address
        self._program_name = program_name
        self.place = parse_url(address.url or "")

    async def open(self) -> Connection:
        """Connect; without TLS if the mode is DISABLED, or PREFERRED and the server has none."""
        place = self.place
        tls = Tls(mode="DISABLED") if place.socket else place.tls
        async with asyncio.timeout(self._address.connect_timeout):
            try:
                connection = await self._connect(place, tls)
            except NoTls:
                if tls.mode != "PREFERRED":
                    raise
                connection = await self._connect(place, Tls(mode="DISABLED"))
            try:
                for statement in SETUP:
                    await query(connection, self._format_limits(statement))
            except BaseException:
                connection.close()
                raise
            return connection

    async def _connect(self, place: Place, tls: Tls) -> Connection:
        given = self._address.password
        secret = given() if given else place.password
        context = create_context(tls)
        connection = AbruptConnection(  # type: ignore[no-untyped-call]  # nor any types here
            host=place.host,
            port=place.port,
            unix_socket=place.socket,
            user=place.user,
            # As Django's driver sends it; as text it would be sent in Latin 1.
            password=secret.encode(),
            database=place.database,
            charset="utf8mb4",
            autocommit=True,
            program_name=self._program_name,
            ssl=context,
            auth_plugin_map={} if context or place.socket else PLAIN_TEXT_PLUGINS,
        )
        # `open` limits it. The driver's own limit uses asyncio.wait_for, which before Python 3.12
        # loses a cancellation, or the socket, when either comes just as the other does.
        connection._connect_timeout = None  # type: ignore[attr-defined]  # noqa: SLF001
        try:
            await connection.connect()
        except MySQLError as error:
            # The driver asks for TLS, or fails: it never goes on without.
            greeted = getattr(connection, "server_capabilities", None)
            if context and greeted is not None and not greeted & CLIENT.SSL:
                raise NoTls from error
            raise
        return connection

    def _format_limits(self, statement: str) -> str:
        limit = self._address.read_timeout
        return statement.format(
            lock=max(1, int(limit / 2)), seconds=limit, milliseconds=int(limit * 1000)
        )

    def translate_error(self, error: Exception, limit: float) -> DatabaseError:
        """Return our error for one of the driver; `limit` is the timeout in seconds."""
        if isinstance(error, TimeoutError):
            return DatabaseTimeout(f"{self.place}: no answer within {limit:g} s")
        if isinstance(error, OSError) and (file := find_unreadable_file(self._tls_files())):
            return DatabaseDenied(f"{self.place}: {file}")
        error_class, message = classify_error(error, self.place.database)
        return error_class(f"{self.place}: {message}")

    def _tls_files(self) -> dict[str, str | None]:
        tls = self.place.tls
        return {"ssl-ca": tls.ca, "ssl-cert": tls.cert, "ssl-key": tls.key}


async def query(connection: Connection, statement: str) -> tuple[tuple[object, ...], ...]:
    """Run one statement; return its rows."""
    async with connection.cursor() as cursor:
        await cursor.execute(statement)
        return tuple(await cursor.fetchall())


async def close(connection: Connection) -> None:
    """Close politely, so that the server logs no lost connection; a silent one is dropped."""
    try:
        async with asyncio.timeout(1):
            await connection.ensure_closed()
    except (OSError, TimeoutError, MySQLError):
        connection.close()
