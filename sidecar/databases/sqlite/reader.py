"""Read `django_migrations` from a SQLite file: opened read-only each time, in a thread."""

import asyncio
import sqlite3
import threading
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sidecar.core.migrations.manifest import format_key
from sidecar.core.migrations.recorded import Recorded
from sidecar.databases.base import MAX_RECENT, TABLE, Address
from sidecar.databases.sqlite.connection import check_file, open_read_only
from sidecar.databases.sqlite.dsn import parse_url
from sidecar.databases.sqlite.errors import translate_error
from sidecar.databases.sqlite.migration_lock import SqliteMigrationLock, read_migrate_run
from sidecar.errors import DatabaseTimeout, UsageError

READ: Final = f"SELECT app, name, applied FROM {TABLE} ORDER BY id"


def connect(address: Address) -> "Sqlite":
    """Return the database in the file of this address; nothing is opened yet."""
    return Sqlite(address)


def create_migration_lock(address: Address) -> SqliteMigrationLock:
    """Return the migration lock of the file at this address.

    Where there is no file yet an empty one is made, as Django itself does first when it
    migrates; to whoever only reads, a file that is absent is an error.
    """
    file = _parse_address(address)
    with suppress(OSError):
        file.touch()
    return SqliteMigrationLock(file)


class Sqlite:
    """One file; nothing is held between two reads."""

    def __init__(self, address: Address) -> None:
        """Take the address; raises UsageError if its URL is invalid."""
        self._limit = address.read_timeout
        self._file = _parse_address(address)
        self._text: str | None = None
        self._reading = False

    async def read(self) -> Recorded:
        """Return what is recorded; see `Database.read`."""
        if self._reading:
            raise DatabaseTimeout(f"{self._file}: an earlier read has not returned")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Recorded] = loop.create_future()
        # No executor: it would wait at our end for a file system that hangs.
        threading.Thread(target=self._work, args=(loop, answer), daemon=True).start()
        self._reading = True
        try:
            # What SQLite waits for ends before; this is for a file system that is silent.
            async with asyncio.timeout(self._limit + 0.5):
                recorded = await answer
        except TimeoutError:
            raise DatabaseTimeout(f"{self._file}: no answer within {self._limit:g} s") from None
        self._text = recorded.text if recorded.note is None else None
        return recorded

    async def release(self) -> None:
        """Nothing is held."""

    def _work(self, loop: asyncio.AbstractEventLoop, answer: asyncio.Future[Recorded]) -> None:
        """Read, and hand over the result or the error; this is the thread."""
        found: Recorded | Exception
        try:
            found = self._read_file()
        except Exception as error:  # noqa: BLE001 - it is raised where it is awaited
            found = error
        with suppress(RuntimeError):  # The loop may have ended meanwhile.
            loop.call_soon_threadsafe(self._hand_over, answer, found)

    def _hand_over(self, answer: asyncio.Future[Recorded], found: Recorded | Exception) -> None:
        self._reading = False
        if answer.done():  # It was given up.
            return
        if isinstance(found, Exception):
            answer.set_exception(found)
        else:
            answer.set_result(found)

    def _read_file(self) -> Recorded:
        if error := check_file(self._file):
            raise error
        try:
            with closing(open_read_only(self._file, self._limit)) as connection:
                rows = _read_rows(connection)
        except sqlite3.Error as failure:
            raise translate_error(self._file, failure, self._limit) from failure
        found = [(format_key(app, name), _parse_applied(at)) for app, name, at in rows or ()]
        text = "\n".join(key for key, _ in found)
        times = [(key, at) for key, at in found if at is not None]
        return Recorded(
            text,
            last_applied=max((at for _, at in times), default=None),
            note=f"there is no table {TABLE} in {self._file}" if rows is None else None,
            recent=() if text == self._text else tuple(times[-MAX_RECENT:]),
            # Read after the rows: a run that has ended by then had written them all.
            run=read_migrate_run(self._file),
        )


def _parse_address(address: Address) -> Path:
    if address.schema is not None or address.schemas or address.schemas_query:
        raise UsageError("schemas: SQLite has none; name the file in the URL")
    return parse_url(address.url or "")


def _read_rows(connection: sqlite3.Connection) -> list[tuple[str, str, object]] | None:
    """Return the rows in the order of their ids, or None where there is no table."""
    try:
        return connection.execute(READ).fetchall()
    except sqlite3.OperationalError as error:
        if str(error) != f"no such table: {TABLE}":
            raise
        return None


def _parse_applied(applied: object) -> float | None:
    """Return when a row was recorded: UTC, or with USE_TZ=False what Django took for local."""
    try:
        return datetime.fromisoformat(str(applied)).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
