"""A database whose URL stands in a file, which is read anew before each read.

A secret that is rotated, such as one of Vault or an External Secret, needs no restart.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from sidecar.core.migrations.recorded import Recorded
from sidecar.databases.base import Address, Database, MigrationLock, StatementTimeouts
from sidecar.errors import DatabaseDenied, UsageError
from sidecar.regular_file import read_regular

T = TypeVar("T", bound="Database | MigrationLock")


class UrlFile(Generic[T]):
    """What the URL in a file leads to, opened anew when the file holds another one."""

    def __init__(self, file: Path, address: Address, connect: Callable[[Address], T]) -> None:
        """Take the address with the URL that was read at the start. Raises UsageError."""
        self._file = file
        self._address = address
        self._connect = connect
        self.current = connect(address)

    async def reopen(self) -> T:
        """Return what the file leads to now.

        Raises DatabaseDenied when it cannot be read or holds no valid URL.
        """
        try:
            url = read_regular(self._file).decode().strip()
        except (OSError, UnicodeDecodeError):
            raise DatabaseDenied(f"the file {self._file} cannot be read") from None
        if url != self._address.url:
            address = msgspec.structs.replace(self._address, url=url)
            try:
                opened = self._connect(address)
            except UsageError as error:
                raise DatabaseDenied(f"the file {self._file}: {error}") from None
            await self.current.release()
            self._address, self.current = address, opened
        return self.current


class FollowingDatabase:
    """Reads at the URL that the file holds."""

    def __init__(self, file: UrlFile[Database]) -> None:
        """Take the file."""
        self._file = file

    async def read(self) -> Recorded:
        """Return what is recorded. Raises DatabaseError."""
        return await (await self._file.reopen()).read()

    async def release(self) -> None:
        """Close the connection, if one is held."""
        await self._file.current.release()


class FollowingLock:
    """The migration lock at the URL that the file holds when it is acquired."""

    def __init__(self, file: UrlFile[MigrationLock]) -> None:
        """Take the file."""
        self._file = file

    async def acquire(self) -> bool:
        """Return whether the lock was acquired. Raises DatabaseError and UsageError."""
        return await (await self._file.reopen()).acquire()

    async def held(self) -> bool:
        """Return whether it is still held. Raises DatabaseError."""
        return await self._file.current.held()

    async def count_leftover_sessions(self) -> int:
        """Return how many sessions of an earlier migrate run are still there."""
        return await self._file.current.count_leftover_sessions()

    def environment(self, limits: StatementTimeouts) -> dict[str, str]:
        """Return the variables of the command."""
        return self._file.current.environment(limits)

    async def release(self) -> None:
        """Release it, if it is held."""
        await self._file.current.release()
