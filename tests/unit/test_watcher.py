"""The watcher, in virtual time: when it looks, what it keeps, what it tells."""

import asyncio
import threading
from collections.abc import Sequence
from contextlib import suppress

import pytest

from sidecar.core.gate.machine import begin
from sidecar.core.gate.snapshot import Identity, Snapshot
from sidecar.core.gate.state import Phase, Policy
from sidecar.core.migrations.compare import Verdict, compare
from sidecar.core.migrations.manifest import Key
from sidecar.core.migrations.recorded import Recorded
from sidecar.core.reason import Reason
from sidecar.errors import DatabaseDenied, DatabaseUnreachable
from sidecar.watcher import LONGEST_LOOK, Watcher
from support.manifests import chain, manifest
from support.virtual import Answer, ScriptedReader, VirtualClock

EXPECTED = manifest(*chain("shop", "0001", "0002"))
NONE, HALF, ALL = (Recorded(text) for text in ("", "shop.0001", "shop.0001\nshop.0002"))
DOWN = DatabaseUnreachable("db:5432: refused")


class Story:
    """A watcher that lives through these answers for so many virtual seconds."""

    def __init__(self, *answers: Answer, seconds: float, policy: Policy | None = None) -> None:
        self.clock = VirtualClock(seconds)
        self.reader = ScriptedReader(self.clock, answers)
        self.compared: list[Sequence[Key]] = []
        self.told: list[Snapshot] = []
        self.watcher = Watcher(
            {"default": self.reader},
            self.judge,
            identity=Identity("1.0", EXPECTED.digest, "5.2"),
            gate=begin(self.clock.now),
            policy=policy or Policy(),
            clock=self.clock,
            chance=lambda: 0.0,
            steady=30.0,
        )
        self.watcher.tell(self.told.append)

    def judge(self, keys: Sequence[Key]) -> Verdict:
        self.compared.append(keys)
        return compare(EXPECTED, keys)

    async def live(self) -> "Story":
        watching = asyncio.create_task(self.watcher.run())
        while not self.clock.naps or self.clock.now + self.clock.naps[-1] <= self.clock.end:
            await asyncio.sleep(0)
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        return self

    @property
    def phases(self) -> list[Phase]:
        """The phases it went through, without repeats."""
        seen = [snapshot.gate.phase for snapshot in self.told]
        return [phase for at, phase in enumerate(seen) if at == 0 or phase is not seen[at - 1]]


async def test_opens_when_the_last_migration_is_recorded() -> None:
    """It looks again soon while rows appear, and is ready as soon as all are there."""
    story = await Story(NONE, HALF, ALL, seconds=10).live()
    assert story.phases == [Phase.STARTING, Phase.WAITING, Phase.OPEN]
    assert [at - 1000 for at in story.reader.asked] == [0.0, 0.25, 0.5]
    target = story.watcher.snapshot.targets[0]
    assert target.progress_at == story.clock.wall() - story.clock.now + 1000.5


async def test_compares_only_when_the_bytes_have_changed() -> None:
    """A look that brings what was compared before costs no comparison."""
    story = await Story(ALL, seconds=300).live()
    assert len(story.reader.asked) > 9
    assert len(story.compared) == 1


async def test_long_rows_are_compared_beside_the_loop() -> None:
    """Probes are answered while tens of thousands of rows are compared."""
    many = Recorded("\n".join(f"legacy.{number:05}" for number in range(20_000)))
    story = Story(many, ALL, seconds=0.5)
    where: list[threading.Thread] = []
    judge = story.judge

    def noted(keys: Sequence[Key]) -> Verdict:
        where.append(threading.current_thread())
        return judge(keys)

    story.watcher._judge = noted
    await story.live()
    assert [thread is threading.main_thread() for thread in where] == [False, True]
    assert story.phases == [Phase.STARTING, Phase.WAITING, Phase.OPEN]


async def test_holds_a_connection_only_while_the_next_look_is_near() -> None:
    """While it looks more often than every second the connection stays, later it goes each time."""
    story = await Story(NONE, seconds=20).live()
    early = [at - 1000 for at in story.reader.released if at - 1000 < 1]
    assert early == []
    assert len(story.reader.released) >= 5
    opened = await Story(ALL, seconds=100).live()
    assert opened.reader.released[:4] == opened.reader.asked


async def test_an_outage_holds_the_gate_and_is_told() -> None:
    """Failed looks keep the last verdict, say why they failed, and back off."""
    story = await Story(ALL, DOWN, DOWN, DOWN, ALL, seconds=70).live()
    assert story.phases == [Phase.STARTING, Phase.OPEN, Phase.HOLDING, Phase.OPEN]
    held = next(s for s in story.told if s.gate.phase is Phase.HOLDING).targets[0]
    assert (held.reason, held.message) == (Reason.DATABASE_UNREACHABLE, "db:5432: refused")
    assert held.verdict is not None
    assert held.succeeded_at != held.looked_at
    assert [round(at - 1030, 2) for at in story.reader.asked[1:5]] == [0.0, 0.25, 0.75, 1.75]


async def test_an_outage_closes_on_time_without_another_look() -> None:
    """With close_after_outage the gate closes at its end, though no read is due."""
    story = await Story(ALL, DOWN, seconds=60, policy=Policy(close_after_outage=12.0)).live()
    closed = next(s for s in story.told if s.gate.phase is Phase.CLOSED)
    assert closed.gate.since == 1042.0
    assert closed.gate.reason is Reason.DATABASE_UNREACHABLE


async def test_a_regression_is_looked_at_again_after_a_second() -> None:
    """Rows that vanish are confirmed quickly; the gate closes and opens again when they return."""
    story = await Story(ALL, HALF, HALF, HALF, ALL, seconds=70).live()
    assert story.phases == [
        *(Phase.STARTING, Phase.OPEN, Phase.HOLDING),
        *(Phase.CLOSED, Phase.OPEN),
    ]
    assert story.reader.asked[2] - story.reader.asked[1] == 1.0


async def test_a_refusal_keeps_its_reason() -> None:
    """Whatever the database said first is the reason while nothing better is known."""
    story = await Story(DatabaseDenied("wrong password"), seconds=5).live()
    assert story.watcher.snapshot.gate.reason is Reason.DATABASE_DENIED
    assert story.watcher.snapshot.gate.phase is Phase.WAITING


async def test_an_outlet_that_fails_stops_neither_the_watch_nor_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A bug in one outlet must not close the gate; it is logged."""
    story = Story(NONE, ALL, seconds=5)

    def broken(_: Snapshot) -> None:
        raise ZeroDivisionError

    story.watcher._listeners.insert(0, broken)
    await story.live()
    assert story.phases[-1] is Phase.OPEN
    assert "an outlet failed" in caplog.text


async def test_draining_is_told_at_once() -> None:
    """`drain` announces a gate that is not ready, and no later look changes that."""
    story = await Story(ALL, seconds=1).live()
    story.watcher.drain()
    assert story.told[-1].gate.phase is Phase.DRAINING
    assert not story.told[-1].gate.ready


async def test_alive_means_that_the_loop_keeps_its_promises() -> None:
    """It is alive through every pause and outage, and not when a look never comes back."""
    story = await Story(DOWN, seconds=100).live()
    assert story.watcher.alive()
    story.clock.now += LONGEST_LOOK + 16
    assert not story.watcher.alive()
