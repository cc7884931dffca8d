"""The longest time that the event loop is kept from its work, under polls and slow clients."""

import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from bench import client
from bench.stage import Running, Stage
from bench.table import Line, at_most, line
from support.process import until

PROBE = client.PROBE.format(path="/readyz").encode()
SCRAPE = client.SCRAPE.format(path="/metrics").encode()
LIMITS = {500: 1, 5_000: 5, 50_000: 10}
SLOW_CLIENTS = 50
ONE_MORE = "INSERT INTO django_migrations (app, name, applied) VALUES ('app_000', 'x{}', now())"
ONE_LESS = "DELETE FROM django_migrations WHERE name LIKE 'x%'"


def run(stage: Stage) -> Iterator[Line]:
    """Yield the lines."""
    observer = Path(__file__).parents[1] / "observer"
    for size, limit in LIMITS.items():
        file = stage.folder / f"stall-{size}"
        ours = stage.sidecar(
            *(size, "--interval=50ms"), PYTHONPATH=str(observer), BENCH_STALL=str(file)
        )
        client.await_ready(ours.address, PROBE, within=60)
        for what, change in (("nothing new", False), ("a new row each time", True)):
            stalls = [_stall(stage, ours, file, size, change=change) for _ in range(stage.rounds)]
            yield line(f"longest stall, {size:,} rows, {what}", stalls, "ms", at_most(limit, "ms"))
        yield line(
            f"longest stall, {size:,} rows, from start to open",
            *([_opening_stall(stage, size, observer) for _ in range(min(stage.rounds, 3))], "ms"),
        )


def _stall(stage: Stage, ours: Running, file: Path, size: int, *, change: bool) -> float:
    """Return the longest stall of one second under load, a typical one of several."""
    slow = [socket.create_connection(ours.address) for _ in range(SLOW_CLIENTS)]
    longest = []
    for connection in slow:
        connection.send(b"GET /readyz HTTP/1.1\r\nX-Slow: ")
    with stage.server.connect(stage.database(size).name) as admin:
        for _ in range(3):
            _read(ours, file)
            end = time.monotonic() + 0.3
            while time.monotonic() < end:
                if change:
                    admin.execute(ONE_MORE.format(time.monotonic_ns()))
                for connection in slow[::10]:
                    connection.send(b"x")
                client.get(ours.address, SCRAPE)
                client.get(ours.address, PROBE)
                time.sleep(0.02)
            longest.append(_read(ours, file))
        admin.execute(ONE_LESS)
    for connection in slow:
        connection.close()
    return sorted(longest)[1]


def _opening_stall(stage: Stage, size: int, observer: Path) -> float:
    file = stage.folder / f"opening-{time.monotonic_ns()}"
    ours = stage.sidecar(size, PYTHONPATH=str(observer), BENCH_STALL=str(file))
    client.await_ready(ours.address, PROBE, within=60)
    stall = _read(ours, file)
    ours.process.terminate()
    return stall


def _read(ours: Running, file: Path) -> float:
    file.unlink(missing_ok=True)
    ours.process.send_signal(signal.SIGUSR2)
    until(file.exists, "the stall is written", within=60)
    return float(file.read_text())
