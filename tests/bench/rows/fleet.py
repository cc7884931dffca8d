"""A fleet that opens together on one PostgreSQL: connections and server CPU over time.

As many real watchers as one process can hold wait for a migration of twenty seconds, then
open; what a thousand would cost is theirs times the rest.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from bench import measure
from bench.stage import Stage
from bench.table import Line, line

WATCHERS = 200
FLEET = 1000
QUIET = 20
AFTER = 20
SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'migration-sidecar'"
LAST = "app = 'app_009' AND name = '0050_step'"


def run(stage: Stage) -> Iterator[Line]:
    """Yield the lines."""
    database = stage.database(500)
    postmaster = stage.server.pid
    database.execute(f"DELETE FROM django_migrations WHERE {LAST}")
    with (
        subprocess.Popen(
            [sys.executable, __file__, str(stage.manifest(500)), database.reader],
            stdout=subprocess.PIPE,
            env={"PYTHONPATH": str(Path(__file__).parents[2])},
            text=True,
        ) as fleet,
        stage.server.connect(database.name) as admin,
        ExitStack() as stack,
    ):
        stack.callback(fleet.terminate)
        began, before = time.monotonic(), _server(postmaster)
        samples = []
        committed = 0.0
        while (now := time.monotonic() - began) < QUIET + AFTER:
            if now > QUIET and not committed:
                admin.execute(
                    "INSERT INTO django_migrations (app, name, applied)"
                    " VALUES ('app_009', '0050_step', now())"
                )
                committed = time.time()
            ((held,),) = admin.execute(SESSIONS).fetchall()
            samples.append((now, int(str(held)), _server(postmaster) - before))
            time.sleep(0.2)
        fleet.terminate()
        assert fleet.stdout is not None
        opened = sorted(at - committed for at in json.loads(fleet.stdout.read()))
    assert len(opened) == WATCHERS, f"{len(opened)} of {WATCHERS} opened"
    share = FLEET / WATCHERS
    for what, start, end in (
        ("the first 5 s", 0, 5),
        (f"waiting, 5 s to {QUIET} s", 5, QUIET),
        (f"{AFTER} s around the opening", QUIET, QUIET + AFTER),
    ):
        part = [sample for sample in samples if start <= sample[0] < end]
        spent = (part[-1][2] - part[0][2]) / (part[-1][0] - part[0][0])
        held_at = [float(sample[1]) for sample in part]
        name = f"fleet of {WATCHERS}, {what}"
        yield line(f"{name}: connections", held_at, "")
        yield line(f"{name}: server, share of a core", [spent], "%")
        yield line(f"fleet of {FLEET}, {what}: server, on paper", [spent * share], "%")
    yield line(f"fleet of {WATCHERS}: opened after the commit", opened, "s")


def _server(postmaster: int) -> float:
    """Return the CPU seconds of the server with all its sessions, ended ones too."""
    return measure.cpu(*measure.family(postmaster)) + measure.cpu_of_ended_children(postmaster)


async def _watch(data: bytes, url: str) -> None:
    """Run the fleet until SIGTERM; print when each watcher opened."""
    import random  # noqa: PLC0415 - the fleet is a process of its own
    import signal  # noqa: PLC0415

    from sidecar.clock import SystemClock  # noqa: PLC0415
    from sidecar.core.gate.machine import initial_gate  # noqa: PLC0415
    from sidecar.core.gate.snapshot import Identity, Snapshot  # noqa: PLC0415
    from sidecar.core.gate.state import Policy  # noqa: PLC0415
    from sidecar.core.migrations.compare import Comparer  # noqa: PLC0415
    from sidecar.core.migrations.manifest import decode  # noqa: PLC0415
    from sidecar.databases.base import Address  # noqa: PLC0415
    from sidecar.databases.postgres.reader import Postgres  # noqa: PLC0415
    from sidecar.outputs.failures import OutputFailures  # noqa: PLC0415
    from sidecar.watcher import Watcher  # noqa: PLC0415

    manifest = decode(data)
    opened: dict[int, float] = {}
    clock, tasks = SystemClock(), []
    for number in range(WATCHERS):
        watcher = Watcher(
            {"default": Postgres(Address(url=url))},
            Comparer(manifest).compare,
            identity=Identity(None, "", ""),
            gate=initial_gate(clock.monotonic()),
            policy=Policy(),
            clock=clock,
            random=random.random,
            open_interval=30,
            report_failure=OutputFailures().report,
        )

        def notice(snapshot: Snapshot, number: int = number) -> None:
            if snapshot.gate.ready:
                opened.setdefault(number, clock.wall())

        watcher.subscribe("bench", notice)
        tasks.append(asyncio.create_task(watcher.run()))
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    for task in tasks:
        task.cancel()
    print(json.dumps([*opened.values()]))


if __name__ == "__main__":
    asyncio.run(_watch(Path(sys.argv[1]).read_bytes(), sys.argv[2]))
