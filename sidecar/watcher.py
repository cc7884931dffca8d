"""The loop: look at each target, compare, step the gate, announce.

Knows the database only as something to read, the outlets only as something to tell, and
time only as a clock that it is handed.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, Protocol

import msgspec

from sidecar.core.gate import database_status as targets
from sidecar.core.gate import polling as cadence
from sidecar.core.gate.database_status import Needs, Watched
from sidecar.core.gate.machine import due, step
from sidecar.core.gate.snapshot import Identity, Snapshot, Target, overall
from sidecar.core.gate.state import Drain, Event, Gate, Phase, Policy, Tick
from sidecar.core.migrations.compare import Verdict
from sidecar.core.migrations.manifest import Key
from sidecar.core.migrations.recorded import Recorded
from sidecar.core.reason import Reason
from sidecar.errors import DatabaseError

LOG = logging.getLogger("sidecar.watcher")

LONG: Final = 100_000
"""Characters of rows, some three thousand of them, that are not compared within the loop."""

LONGEST_LOOK: Final = 120.0
"""A look that takes longer means that the loop is stuck, whatever the timeouts say.

A first look at ten thousand schemas over a slow network takes more than half a minute.
"""


class Reader(Protocol):
    """A database, as far as the watcher needs one."""

    async def read(self) -> Recorded:
        """Return what is recorded, or raise DatabaseError."""

    async def release(self) -> None:
        """Let go of any connection."""


class Clock(Protocol):
    """Time, as far as the watcher needs it."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""

    def wall(self) -> float:
        """Return seconds since the epoch."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


Listener = Callable[[Snapshot], None]


class Watcher:
    """Watches some targets and keeps one gate; `snapshot` is always the latest."""

    def __init__(  # noqa: PLR0913 - the one place where the parts meet
        self,
        readers: Mapping[str, Reader],
        judge: Callable[[Sequence[Key]], Verdict],
        *,
        identity: Identity,
        gate: Gate,
        policy: Policy,
        clock: Clock,
        chance: Callable[[], float],
        steady: float,
        needs: Needs = Needs(),  # noqa: B008 - frozen
    ) -> None:
        """Take the parts; nothing is read before `run`."""
        self._readers = readers
        self._judge = judge
        self._identity = identity
        self._gate = gate
        self._policy = policy
        self._clock = clock
        self._chance = chance
        self._steady = steady
        self._listeners: list[Listener] = []
        self._started_at = clock.monotonic()
        self._watched = {name: targets.begin(name, needs) for name in readers}
        self._promised = dict.fromkeys(readers, self._started_at + LONGEST_LOOK)
        self.snapshot = self._snapshot()

    def tell(self, listener: Listener) -> None:
        """Tell a listener what is known now, and from now on whatever changes."""
        self._listeners.append(listener)
        listener(self.snapshot)

    async def run(self) -> None:
        """Watch until cancelled; every connection is let go then."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for name, reader in self._readers.items():
                    tasks.create_task(self._watch(name, reader), name=f"watch {name}")
        finally:
            for reader in self._readers.values():
                await reader.release()

    def drain(self) -> None:
        """Close the gate for good, at once."""
        self._step(Drain(self._clock.monotonic()))
        self._announce()

    def alive(self) -> bool:
        """Tell whether each target's loop is where it promised to be; databases do not matter."""
        return self._clock.monotonic() <= min(self._promised.values())

    async def _watch(self, name: str, reader: Reader) -> None:
        rhythm = cadence.Cadence(progress_at=self._clock.monotonic())
        while self._gate.phase is not Phase.DRAINING:
            self._promised[name] = self._clock.monotonic() + LONGEST_LOOK
            progressed = await self._look(name, reader)
            rhythm = cadence.advance(
                rhythm,
                self._gate,
                at=self._clock.monotonic(),
                failed=all(target.failure for target in self._watched[name].targets),
                progressed=progressed,
                running=self._watched[name].run is not None,
                steady=self._steady,
                took=self._watched[name].targets[0].took,
            )
            if rhythm.pause > cadence.KEEP_CONNECTION:
                await reader.release()
            pause = cadence.jittered(rhythm.pause, self._chance())
            self._promised[name] = self._clock.monotonic() + pause + LONGEST_LOOK
            await self._pause(pause)

    async def _pause(self, seconds: float) -> None:
        """Wait; wake for what the passing of time alone does to the gate."""
        end = self._clock.monotonic() + seconds
        while (now := self._clock.monotonic()) < end:
            change = due(self._gate, self._policy)
            await self._clock.sleep((end if change is None else min(end, change)) - now)
            now = self._clock.monotonic()
            if change is not None and now >= change:
                self._step(Tick(now))
                self._announce()

    async def _look(self, name: str, reader: Reader) -> bool:
        """Look once; tell whether rows have changed, or a run has begun or ended."""
        began = self._clock.monotonic()
        before, progressed, turned = self._watched[name], False, False
        try:
            recorded = await reader.read()
        except DatabaseError as error:
            after = targets.failed(before, Reason(error.reason), str(error))
        else:
            opened = self._gate.opened_at is not None
            read = partial(targets.read, before, recorded, self._judge, opened=opened)
            # In a thread, the loop gets its turn while tens of thousands of rows are compared.
            after = await asyncio.to_thread(read) if _is_long(before, recorded) else read()
            progressed = before.rows is not None and after.rows != before.rows
            turned = (after.run is None) is not (before.run is None)
        now = self._clock.monotonic()
        self._watched[name] = self._timed(after, before, now - began, progressed)
        look = overall(self._targets(), now, name)
        if look is not None:
            self._step(look)
        self._announce()
        return progressed or turned

    def _timed(self, watched: Watched, before: Watched, took: float, progressed: bool) -> Watched:  # noqa: FBT001
        """Return a database with the times of a look; all its targets are looked at together."""
        wall, last = self._clock.wall(), before.targets[0]
        timed = (
            msgspec.structs.replace(
                target,
                looks=last.looks + 1,
                looked_at=wall,
                succeeded_at=wall if target.failure is None else before.succeeded_at(target),
                progress_at=wall if progressed else last.progress_at,
                took=took,
            )
            for target in watched.targets
        )
        return msgspec.structs.replace(watched, targets=tuple(timed))

    def _targets(self) -> tuple[Target, ...]:
        return tuple(target for watched in self._watched.values() for target in watched.targets)

    def _step(self, event: Event) -> None:
        self._gate = step(self._gate, event, self._policy)

    def _announce(self) -> None:
        self.snapshot = self._snapshot()
        for listener in self._listeners:
            try:
                listener(self.snapshot)
            except Exception:
                # One outlet's bug must not close the gate for the others.
                LOG.exception("an outlet failed; please report it")

    def _snapshot(self) -> Snapshot:
        return Snapshot(
            gate=self._gate,
            targets=self._targets(),
            identity=self._identity,
            epoch=self._clock.wall() - self._clock.monotonic(),
            started_at=self._started_at,
        )


def _is_long(before: Watched, recorded: Recorded) -> bool:
    new = (one for one in recorded.each() if one.text not in before.verdicts)
    return sum(len(one.text) for one in new) > LONG
