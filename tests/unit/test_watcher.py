"""The watcher, in virtual time: when it polls, what it keeps, what it announces."""

import asyncio
import threading
from collections.abc import Sequence
from contextlib import suppress

from sidecar.core.gate.machine import initial_gate
from sidecar.core.gate.snapshot import Identity, Snapshot
from sidecar.core.gate.state import Phase, Policy
from sidecar.core.migrations.compare import Verdict, compare
from sidecar.core.migrations.manifest import Key
from sidecar.core.migrations.recorded import Recorded
from sidecar.core.reason import Reason
from sidecar.errors import DatabaseDenied, DatabaseUnreachable
from sidecar.watcher import MAX_POLL_DURATION, Watcher
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
        self.announced: list[Snapshot] = []
        self.failures: list[tuple[str, Exception]] = []
        self.watcher = Watcher(
            {"default": self.reader},
            self.judge,
            identity=Identity("1.0", EXPECTED.digest, "5.2"),
            gate=initial_gate(self.clock.now),
            policy=policy or Policy(),
            clock=self.clock,
            random=lambda: 0.0,
            open_interval=30.0,
            report_failure=lambda output, error: self.failures.append((output, error)),
        )
        self.watcher.subscribe("announced", self.announced.append)

    def judge(self, keys: Sequence[Key]) -> Verdict:
        self.compared.append(keys)
        return compare(EXPECTED, keys)

    async def live(self) -> "Story":
        watching = asyncio.create_task(self.watcher.run())
        while not self.clock.sleeps or self.clock.now + self.clock.sleeps[-1] <= self.clock.end:
            await asyncio.sleep(0)
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        return self

    @property
    def phases(self) -> list[Phase]:
        """The phases it went through, without repeats."""
        every = [snapshot.gate.phase for snapshot in self.announced]
        return [phase for at, phase in enumerate(every) if at == 0 or phase is not every[at - 1]]


async def test_opens_when_the_last_migration_is_recorded() -> None:
    """It polls again soon while rows appear, and is ready as soon as all are there."""
    story = await Story(NONE, HALF, ALL, seconds=10).live()
    assert story.phases == [Phase.STARTING, Phase.WAITING, Phase.OPEN]
    assert [at - 1000 for at in story.reader.reads] == [0.0, 0.25, 0.5]
    (database,) = story.watcher.snapshot.databases
    assert database.progress_at == story.clock.wall() - story.clock.now + 1000.5


async def test_compares_only_when_the_bytes_have_changed() -> None:
    """A read that brings what was compared before costs no comparison."""
    story = await Story(ALL, seconds=300).live()
    assert len(story.reader.reads) > 9
    assert len(story.compared) == 1


async def test_long_rows_are_compared_in_a_thread() -> None:
    """Probes are answered while tens of thousands of rows are compared."""
    many = Recorded("\n".join(f"legacy.{number:05}" for number in range(20_000)))
    story = Story(many, ALL, seconds=0.5)
    where: list[threading.Thread] = []
    judge = story.judge

    def noted(keys: Sequence[Key]) -> Verdict:
        where.append(threading.current_thread())
        return judge(keys)

    story.watcher._pollers["default"]._judge = noted
    await story.live()
    assert [thread is threading.main_thread() for thread in where] == [False, True]
    assert story.phases == [Phase.STARTING, Phase.WAITING, Phase.OPEN]


async def test_holds_a_connection_only_while_the_next_poll_is_near() -> None:
    """While it polls more often than every second the connection stays, later it goes each time."""
    story = await Story(NONE, seconds=20).live()
    early = [at - 1000 for at in story.reader.released if at - 1000 < 1]
    assert early == []
    assert len(story.reader.released) >= 5
    opened = await Story(ALL, seconds=100).live()
    assert opened.reader.released[:4] == opened.reader.reads


async def test_an_outage_holds_the_gate_and_is_shown() -> None:
    """Failed reads keep the last verdict, have a message, and back off."""
    story = await Story(ALL, DOWN, DOWN, DOWN, ALL, seconds=70).live()
    assert story.phases == [Phase.STARTING, Phase.OPEN, Phase.HOLDING, Phase.OPEN]
    held = next(s for s in story.announced if s.gate.phase is Phase.HOLDING)
    ((database, group),) = held.targets()
    assert (group.reason, group.message) == (Reason.DATABASE_UNREACHABLE, "db:5432: refused")
    assert group.verdict is not None
    assert group.succeeded_at != database.read_at
    assert [round(at - 1030, 2) for at in story.reader.reads[1:5]] == [0.0, 0.25, 0.75, 1.75]


async def test_an_outage_closes_on_time_without_another_poll() -> None:
    """The gate closes when close_after_outage ends, though no poll is due."""
    story = await Story(ALL, DOWN, seconds=60, policy=Policy(close_after_outage=12.0)).live()
    closed = next(s for s in story.announced if s.gate.phase is Phase.CLOSED)
    assert closed.gate.since == 1042.0
    assert closed.gate.reason is Reason.DATABASE_UNREACHABLE


async def test_a_regression_is_polled_again_after_a_second() -> None:
    """Rows that vanish are confirmed quickly; the gate closes and opens again when they return."""
    story = await Story(ALL, HALF, HALF, HALF, ALL, seconds=70).live()
    assert story.phases == [
        *(Phase.STARTING, Phase.OPEN, Phase.HOLDING),
        *(Phase.CLOSED, Phase.OPEN),
    ]
    assert story.reader.reads[2] - story.reader.reads[1] == 1.0


async def test_a_refusal_keeps_its_reason() -> None:
    """Whatever the database answered first is the reason while nothing better is known."""
    story = await Story(DatabaseDenied("wrong password"), seconds=5).live()
    assert story.watcher.snapshot.gate.reason is Reason.DATABASE_DENIED
    assert story.watcher.snapshot.gate.phase is Phase.WAITING


async def test_an_output_that_fails_stops_neither_the_watch_nor_the_others() -> None:
    """A bug in one output must not close the gate; each failure is reported, from the first on."""
    story = Story(NONE, ALL, seconds=5)
    later: list[Snapshot] = []

    def broken(_: Snapshot) -> None:
        raise ZeroDivisionError

    story.watcher.subscribe("broken", broken)
    story.watcher.subscribe("later", later.append)
    await story.live()
    assert story.phases[-1] is Phase.OPEN
    assert later == story.announced
    assert [output for output, _ in story.failures] == ["broken"] * len(later)


async def test_draining_is_announced_at_once() -> None:
    """`drain` announces a gate that is not ready, and no later poll changes that."""
    story = await Story(ALL, seconds=1).live()
    story.watcher.drain()
    assert story.announced[-1].gate.phase is Phase.DRAINING
    assert not story.announced[-1].gate.ready


async def test_alive_means_that_the_loop_keeps_its_deadlines() -> None:
    """It is alive through every pause and outage, and not when a read never comes back."""
    story = await Story(DOWN, seconds=100).live()
    assert story.watcher.is_alive()
    story.clock.now += MAX_POLL_DURATION + 16
    assert not story.watcher.is_alive()
