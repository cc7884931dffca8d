"""Read `django_migrations` from a SQLite file: opened read-only for one look, in a thread."""

import asyncio
import sqlite3
import threading
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sidecar.core.migrations.manifest import Key
from sidecar.core.migrations.recorded import Recorded
from sidecar.databases.base import Address
from sidecar.databases.sqlite.connection import open_read_only, unusable
from sidecar.databases.sqlite.dsn import file_of
from sidecar.databases.sqlite.errors import explained
from sidecar.databases.sqlite.migration_lock import SqliteMigrationLock, run_of
from sidecar.errors import DatabaseTimeout, UsageError

TABLE: Final = "django_migrations"

READ: Final = f"SELECT app, name, applied FROM {TABLE} ORDER BY id"

RECENT: Final = 500


def connect(address: Address) -> "Sqlite":
    """Return the database in the file of this address; nothing is opened yet."""
    return Sqlite(address)


def migration_lock(address: Address) -> SqliteMigrationLock:
    """Return the turn at migrating the file of this address.

    Where there is no file yet an empty one is made, as Django itself does first when it
    migrates; to whoever only reads, a file that is absent is an error.
    """
    file = _file(address)
    with suppress(OSError):
        file.touch()
    return SqliteMigrationLock(file)


class Sqlite:
    """One file; nothing is held between two looks."""

    def __init__(self, address: Address) -> None:
        """Take the address; raises UsageError when its URL cannot be meant."""
        self._limit = address.read_timeout
        self._file = _file(address)
        self._text: str | None = None
        self._looking = False

    async def read(self) -> Recorded:
        """Return what is recorded; see `Database.read`."""
        if self._looking:
            raise DatabaseTimeout(f"{self._file}: an earlier look has not come back")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Recorded] = loop.create_future()
        # No executor: it would wait at our end for a file system that hangs.
        threading.Thread(target=self._work, args=(loop, answer), daemon=True).start()
        self._looking = True
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
        """Look, and hand over what came of it; this is the thread."""
        found: Recorded | Exception
        try:
            found = self._look()
        except Exception as error:  # noqa: BLE001 - it is raised where it is awaited
            found = error
        with suppress(RuntimeError):  # The loop may have ended meanwhile.
            loop.call_soon_threadsafe(self._hand_over, answer, found)

    def _hand_over(self, answer: asyncio.Future[Recorded], found: Recorded | Exception) -> None:
        self._looking = False
        if answer.done():  # It was given up.
            return
        if isinstance(found, Exception):
            answer.set_exception(found)
        else:
            answer.set_result(found)

    def _look(self) -> Recorded:
        if why := unusable(self._file):
            raise why
        try:
            with closing(open_read_only(self._file, self._limit)) as connection:
                rows = _rows(connection)
        except sqlite3.Error as error:
            raise explained(self._file, error, self._limit) from error
        found = [(Key(f"{app}.{name}"), _seconds(at)) for app, name, at in rows or ()]
        text = "\n".join(key for key, _ in found)
        times = [(key, at) for key, at in found if at is not None]
        return Recorded(
            text,
            last_applied=max((at for _, at in times), default=None),
            note=f"there is no table {TABLE} in {self._file}" if rows is None else None,
            recent=() if text == self._text else tuple(times[-RECENT:]),
            # Asked after the rows: a run that has ended by then had written them all.
            run=run_of(self._file),
        )


def _file(address: Address) -> Path:
    if address.schema is not None or address.schemas or address.schemas_query:
        raise UsageError("schemas: SQLite has none; name the file in the URL")
    return file_of(address.url or "")


def _rows(connection: sqlite3.Connection) -> list[tuple[str, str, object]] | None:
    """Return the rows in the order of their ids, or None where there is no table."""
    try:
        return connection.execute(READ).fetchall()
    except sqlite3.OperationalError as error:
        if str(error) != f"no such table: {TABLE}":
            raise
        return None


def _seconds(applied: object) -> float | None:
    """Return when a row was recorded: UTC, or with USE_TZ=False what Django took for local."""
    try:
        return datetime.fromisoformat(str(applied)).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
