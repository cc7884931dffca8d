"""Read `django_migrations` from MySQL or MariaDB: one read-only statement each time.

The rows are fetched as they are: GROUP_CONCAT would save a tenth of a millisecond, and cut
a long list off at group_concat_max_len without an error.
"""

import asyncio
from typing import Final, cast

from sidecar.core.migrations.manifest import format_key
from sidecar.core.migrations.recorded import MigrateRun, Recorded
from sidecar.databases.base import APPLICATION_NAME, MAX_RECENT, TABLE, Address
from sidecar.errors import DatabaseError, UsageError

try:
    import asyncmy
except ModuleNotFoundError:
    raise UsageError(
        "MySQL and MariaDB need the extra 'mysql': pip install 'migration-sidecar[mysql]'"
    ) from None

from sidecar.databases.mysql.connection import LOCK_NAME, Connector, close, query
from sidecar.databases.mysql.errors import NO_SUCH_TABLE, get_error_number
from sidecar.databases.mysql.migration_lock import MysqlMigrationLock

# `applied` has no time zone: Django writes UTC, or with USE_TZ=False its own local time.
READ: Final = f"""
    SELECT app, name, TIMESTAMPDIFF(MICROSECOND, TIMESTAMP'1970-01-01 00:00:00', applied)
      FROM {TABLE} ORDER BY id
"""

# Read after the rows: a run that has ended by then had written them all.
RUNNING: Final = f"SELECT IS_USED_LOCK({LOCK_NAME}) IS NOT NULL"


def connect(address: Address) -> "Mysql":
    """Return the database at this address; nothing is opened yet."""
    return Mysql(address)


def create_migration_lock(address: Address) -> MysqlMigrationLock:
    """Return the migration lock of this database; nothing is opened yet."""
    return MysqlMigrationLock(address)


class Mysql:
    """One database of a server; a connection is held from a read to `release`."""

    def __init__(self, address: Address) -> None:
        """Take the address; raises UsageError if its URL is invalid."""
        self._address = address
        self._connector = Connector(address, APPLICATION_NAME)
        self._connection: asyncmy.Connection | None = None
        self._text: str | None = None

    async def read(self) -> Recorded:
        """Return what is recorded; see `Database.read`."""
        limit = self._address.connect_timeout
        try:
            if self._connection is None:
                self._connection = await self._connector.open()
            limit = self._address.read_timeout
            # The server's own timeouts come first; this one is for a server that is silent.
            async with asyncio.timeout(limit + 0.5):
                return await self._read_rows(self._connection)
        except DatabaseError:
            self._drop()
            raise
        except Exception as error:
            self._drop()
            raise self._connector.translate_error(error, limit) from error
        except BaseException:
            self._drop()
            raise

    async def release(self) -> None:
        """Close the connection, if one is held."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await close(connection)

    async def _read_rows(self, connection: asyncmy.Connection) -> Recorded:
        note = None
        try:
            found = await query(connection, READ)
        except asyncmy.errors.ProgrammingError as error:
            if get_error_number(error) != NO_SUCH_TABLE:
                raise
            found, note = (), f"there is no table {TABLE} in {self._connector.place.database}"
        ((running,),) = await query(connection, RUNNING)
        rows = [
            (format_key(app, name), at / 1e6 if at is not None else None)
            for app, name, at in cast("tuple[tuple[str, str, int | None], ...]", found)
        ]
        text = "\n".join(key for key, _ in rows)
        times = [(key, at) for key, at in rows if at is not None]
        recent = () if text == self._text else tuple(times[-MAX_RECENT:])
        self._text = text if note is None else None
        return Recorded(
            text,
            last_applied=max((at for _, at in times), default=None),
            note=note,
            recent=recent,
            # Another user's session may not see who runs, since when, and what blocks it.
            run=MigrateRun() if running else None,
        )

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
