"""Virtual time, and a scripted reader: for unit tests of what waits."""

import asyncio
from collections.abc import Iterator, Sequence

from sidecar.core.migrations.recorded import Recorded
from sidecar.errors import DatabaseError

Answer = Recorded | DatabaseError


class VirtualClock:
    """A clock that jumps when somebody sleeps; ends the story at `end`."""

    def __init__(self, end: float) -> None:
        """Start at 1000 s, so that nothing mistakes a time for a duration."""
        self.now = 1000.0
        self.end = self.now + end
        self.naps: list[float] = []

    def monotonic(self) -> float:
        """Return virtual seconds."""
        return self.now

    def wall(self) -> float:
        """Return virtual seconds since the epoch."""
        return self.now + 1_700_000_000

    async def sleep(self, seconds: float) -> None:
        """Jump ahead; past the end, wait to be cancelled."""
        self.naps.append(seconds)
        if self.now + seconds > self.end:
            await asyncio.Event().wait()
        self.now += seconds
        await asyncio.sleep(0)


class ScriptedReader:
    """Gives these answers one by one, the last for ever; notes when it was read and released."""

    def __init__(self, clock: VirtualClock, answers: Sequence[Answer]) -> None:
        """Take the script."""
        self._clock = clock
        self._answers: Iterator[Answer] = iter(answers)
        self._last = answers[-1]
        self.asked: list[float] = []
        self.released: list[float] = []

    async def read(self) -> Recorded:
        """Give the next answer."""
        self.asked.append(self._clock.now)
        answer = next(self._answers, self._last)
        if isinstance(answer, DatabaseError):
            raise answer
        return answer

    async def release(self) -> None:
        """Note it."""
        self.released.append(self._clock.now)
