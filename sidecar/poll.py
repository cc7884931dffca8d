"""Read one database once, and judge what it holds."""

import asyncio
from typing import Final, Protocol

from sidecar.core.gate import tracking
from sidecar.core.gate.database_status import DatabaseStatus, RequiredSchemas
from sidecar.core.migrations.recorded import Recorded
from sidecar.core.reason import Reason
from sidecar.errors import DatabaseError

MAX_INLINE_CHARACTERS: Final = 100_000
"""Characters of new rows, some three thousand of them, that are compared within the loop."""


class Reader(Protocol):
    """A database, as far as polling needs one."""

    async def read(self) -> Recorded:
        """Return what is recorded. Raises DatabaseError."""

    async def release(self) -> None:
        """Release any connection."""


class Clock(Protocol):
    """Time, as far as polling needs it."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""

    def wall(self) -> float:
        """Return seconds since the epoch."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


class Poller:
    """Reads one database, again and again; `status` is what the last read left."""

    def __init__(
        self,
        database: str,
        reader: Reader,
        judge: tracking.Judge,
        required: RequiredSchemas,
        clock: Clock,
    ) -> None:
        """Take the database's alias and what reads it; nothing is read yet."""
        self._reader = reader
        self._judge = judge
        self._required = required
        self._clock = clock
        self.status = tracking.unread_database(database, required)
        self.run_since: float | None = None
        """When a migrate run of our own began, in seconds since the epoch."""

    async def poll(self, *, opened: bool = False) -> DatabaseError | None:
        """Read once; return why that failed. `opened`: the gate has been open before."""
        began = self._clock.monotonic()
        try:
            recorded = await self._reader.read()
        except DatabaseError as error:
            self.status = tracking.after_failure(
                self.status,
                Reason(error.reason),
                str(error),
                at=self._clock.wall(),
                duration=self._clock.monotonic() - began,
            )
            return error
        self.status = await self._judged(recorded, began, opened=opened)
        return None

    async def release(self) -> None:
        """Release any connection."""
        await self._reader.release()

    async def _judged(self, recorded: Recorded, began: float, *, opened: bool) -> DatabaseStatus:
        status, duration = self.status, self._clock.monotonic() - began

        def judge() -> DatabaseStatus:
            return tracking.after_read(
                status,
                recorded,
                self._judge,
                self._required,
                at=self._clock.wall(),
                duration=duration,
                opened=opened,
                run_since=self.run_since,
            )

        # In a thread, the loop runs on while tens of thousands of rows are compared.
        return await asyncio.to_thread(judge) if _is_long(status, recorded) else judge()


def _is_long(status: DatabaseStatus, recorded: Recorded) -> bool:
    new = (group for group in recorded.groups() if group.text not in status.memory.verdicts)
    return sum(len(group.text) for group in new) > MAX_INLINE_CHARACTERS
