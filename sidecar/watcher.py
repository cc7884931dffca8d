"""The loop: poll each database, compare, step the gate, announce.

Knows a database only as something to read, an output only as something to announce to, and
time only as a clock that it is handed.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from sidecar.core.gate import polling
from sidecar.core.gate.database_status import RequiredSchemas
from sidecar.core.gate.machine import step
from sidecar.core.gate.rules import next_change_at
from sidecar.core.gate.snapshot import Identity, Snapshot, combine
from sidecar.core.gate.state import Drain, Event, Gate, Phase, Policy, Tick
from sidecar.core.gate.tracking import Judge, progressed
from sidecar.poll import Clock, Poller, Reader

MAX_POLL_DURATION: Final = 120.0
"""Seconds after which a poll means that the loop is stuck, whatever the timeouts are.

A first read of ten thousand schemas over a slow network takes more than half a minute.
"""

Listener = Callable[[Snapshot], None]


class Watcher:
    """Watches some databases and keeps one gate; `snapshot` is always the latest."""

    def __init__(  # noqa: PLR0913 - the one place where the parts meet
        self,
        readers: Mapping[str, Reader],
        judge: Judge,
        *,
        identity: Identity,
        gate: Gate,
        policy: Policy,
        clock: Clock,
        random: Callable[[], float],
        open_interval: float,
        report_failure: Callable[[str, Exception], None],
        required: RequiredSchemas = RequiredSchemas(),  # noqa: B008 - frozen
    ) -> None:
        """Take the parts; nothing is read before `run`.

        `report_failure` gets the name of an output whose listener raised, and the error.
        """
        self._identity = identity
        self._gate = gate
        self._policy = policy
        self._clock = clock
        self._random = random
        self._open_interval = open_interval
        self._report_failure = report_failure
        self._listeners: list[tuple[str, Listener]] = []
        self._started_at = clock.monotonic()
        self._pollers = {
            name: Poller(name, reader, judge, required, clock) for name, reader in readers.items()
        }
        self._deadlines = dict.fromkeys(readers, self._started_at + MAX_POLL_DURATION)
        self.snapshot = self._take_snapshot()

    def subscribe(self, output: str, listener: Listener) -> None:
        """Announce to an output's listener what is known now, and from now on whatever changes."""
        self._listeners.append((output, listener))
        self._announce_to(output, listener)

    async def run(self) -> None:
        """Watch until cancelled; every connection is released then."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for name, poller in self._pollers.items():
                    tasks.create_task(self._watch(name, poller), name=f"watch {name}")
        finally:
            for poller in self._pollers.values():
                await poller.release()

    def drain(self) -> None:
        """Close the gate for good, at once."""
        self._step(Drain(self._clock.monotonic()))
        self._announce()

    def is_alive(self) -> bool:
        """Return whether each database's loop keeps its deadline; databases do not matter."""
        return self._clock.monotonic() <= min(self._deadlines.values())

    async def _watch(self, name: str, poller: Poller) -> None:
        schedule = polling.Schedule(progress_at=self._clock.monotonic())
        while self._gate.phase is not Phase.DRAINING:
            self._deadlines[name] = self._clock.monotonic() + MAX_POLL_DURATION
            poll = await self._poll(name, poller)
            schedule = polling.next_schedule(schedule, self._gate, poll, self._open_interval)
            if schedule.pause > polling.MAX_CONNECTED_PAUSE:
                await poller.release()
            pause = polling.add_jitter(schedule.pause, self._random())
            self._deadlines[name] = self._clock.monotonic() + pause + MAX_POLL_DURATION
            await self._pause(pause)

    async def _pause(self, seconds: float) -> None:
        """Wait; wake for what the passing of time alone does to the gate."""
        end = self._clock.monotonic() + seconds
        while (now := self._clock.monotonic()) < end:
            change = next_change_at(self._gate, self._policy)
            await self._clock.sleep((end if change is None else min(end, change)) - now)
            now = self._clock.monotonic()
            if change is not None and now >= change:
                self._step(Tick(now))
                self._announce()

    async def _poll(self, name: str, poller: Poller) -> polling.Poll:
        """Poll once, step the gate and announce."""
        before = poller.status
        await poller.poll(opened=self._gate.opened_at is not None)
        status, now = poller.status, self._clock.monotonic()
        result = combine([each.status for each in self._pollers.values()], now, name)
        if result is not None:
            self._step(result)
        self._announce()
        return polling.Poll(
            at=now,
            failed=all(group.failure for group in status.groups),
            progressed=progressed(before, status),
            migrating=status.run is not None,
            duration=status.duration,
        )

    def _step(self, event: Event) -> None:
        self._gate = step(self._gate, event, self._policy)

    def _announce(self) -> None:
        self.snapshot = self._take_snapshot()
        for output, listener in self._listeners:
            self._announce_to(output, listener)

    def _announce_to(self, output: str, listener: Listener) -> None:
        try:
            listener(self.snapshot)
        except Exception as error:  # noqa: BLE001 - no output may stop the gate or another output
            self._report_failure(output, error)

    def _take_snapshot(self) -> Snapshot:
        return Snapshot(
            gate=self._gate,
            databases=tuple(poller.status for poller in self._pollers.values()),
            identity=self._identity,
            epoch=self._clock.wall() - self._clock.monotonic(),
            started_at=self._started_at,
        )
