"""Gate latency: from the commit of the last migration to a 200.

While migrations make progress, by a real sidecar; after long ones in virtual time, with the
real watcher and its schedule, since nobody wants to wait for a hundred times ten minutes.
"""

import asyncio
import random
import statistics
import time
from collections.abc import Iterator

from bench import client
from bench.stage import Stage, manifest, rows
from bench.table import Line, Target, at_most, line
from sidecar.core.gate.machine import initial_gate
from sidecar.core.gate.snapshot import Identity, Snapshot
from sidecar.core.gate.state import Policy
from sidecar.core.migrations.compare import Comparer
from sidecar.core.migrations.manifest import decode
from sidecar.core.migrations.recorded import MigrateRun, Recorded
from sidecar.outputs.failures import OutputFailures
from sidecar.watcher import Watcher
from support.virtual import VirtualClock

PROBE = client.PROBE.format(path="/readyz").encode()
LAST = 5
SAMPLES = 10
POLLING = [1.0]
"""What polling every two seconds takes on average, with nothing for the asking itself."""
READ_TIME = 0.005


def run(stage: Stage) -> Iterator[Line]:
    """Yield the lines."""
    found = [_latencies(stage) for _ in range(stage.rounds)]
    what = "gate latency, migrations 0.1 s apart"
    middle = [statistics.median(part) for part in found]
    peer = "polling the executor every 2 s"
    goal: Target | None = at_most(150, "ms")
    yield line(f"{what}, p50", middle, "ms", goal, peer=peer, theirs=POLLING * len(found))
    worst = [max(part) for part in found]
    yield line(f"{what}, the most of {SAMPLES}", worst, "ms", at_most(300, "ms"))
    for minutes, by_us in ((1, False), (10, True), (10, False)):
        late = [asyncio.run(_after(minutes * 60, seed, by_us=by_us)) for seed in range(40)]
        how = "sidecar migrate" if by_us else "plain manage.py migrate"
        goal = at_most(2.1, "s") if by_us else None
        what = f"gate latency after {minutes} min by {how}, virtual time"
        yield line(f"{what}, the most of {len(late)}", [max(late)], "s", goal)


def _latencies(stage: Stage) -> list[float]:
    """Return latencies of one sidecar, which sees the last migrations go and come again."""
    database = stage.database(500)
    ours = stage.sidecar(500, "--interval=100ms")
    client.await_ready(ours.address, PROBE)
    found = []
    chance = random.Random(stage.rounds)  # noqa: S311 - no secret
    with stage.server.connect(database.name) as admin:
        for _ in range(SAMPLES):
            last = admin.execute(
                "DELETE FROM django_migrations WHERE app = 'app_009' AND name > '0045'"
                " RETURNING name"
            ).fetchall()
            while client.get(ours.address, PROBE)[0] == 200:
                time.sleep(0.01)
            for (name,) in sorted(last):
                time.sleep(chance.uniform(0.05, 0.15))
                admin.execute(
                    "INSERT INTO django_migrations (app, name, applied)"
                    " VALUES ('app_009', %s, now())",
                    [name],
                )
            began = time.perf_counter()
            while client.get(ours.address, PROBE)[0] != 200:
                time.sleep(0.002)
            found.append(time.perf_counter() - began)
    ours.process.terminate()
    return found


async def _after(seconds: float, seed: int, *, by_us: bool) -> float:
    """Return how late the gate opens when one migration takes so long."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    clock = VirtualClock(end=seconds + 60)
    commit = clock.now + seconds + chance.uniform(0, 5)
    expected = decode(manifest(50))
    reader = _Reader(clock, commit, by_us=by_us)
    opened: list[float] = []

    def notice(snapshot: Snapshot) -> None:
        if snapshot.gate.ready and not opened:
            opened.append(clock.now)

    watcher = Watcher(
        {"default": reader},
        Comparer(expected).compare,
        identity=Identity(None, "", ""),
        gate=initial_gate(clock.now),
        policy=Policy(),
        clock=clock,
        random=chance.random,
        open_interval=30,
        report_failure=OutputFailures().report,
    )
    watcher.subscribe("bench", notice)
    watching = asyncio.create_task(watcher.run())
    while not opened:
        await asyncio.sleep(0)
    watching.cancel()
    return opened[0] - commit


class _Reader:
    """A database in which the last migration is committed at a moment, and a run ends with it."""

    def __init__(self, clock: VirtualClock, commit: float, *, by_us: bool) -> None:
        self._clock = clock
        self._commit = commit
        self._run = MigrateRun() if by_us else None
        self._all = rows(50)

    async def read(self) -> Recorded:
        """Return what is there now."""
        self._clock.now += READ_TIME
        if self._clock.now < self._commit + READ_TIME:
            return Recorded(self._all.rpartition("\n")[0], run=self._run)
        return Recorded(self._all)

    async def release(self) -> None:
        """Nothing is held."""
