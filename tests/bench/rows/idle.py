"""What an open gate costs all day: probes every 5 s, scrapes every 15 s, reads every 30 s.

Played ten times as fast, and shown as a share of a core at the real pace.
"""

import time
from collections.abc import Iterator

from bench import client
from bench.stage import Stage
from bench.table import Line, at_most, line

PROBE = client.PROBE.format(path="/readyz").encode()
SCRAPE = client.SCRAPE.format(path="/metrics").encode()
FASTER = 10
SECONDS = 12
SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'migration-sidecar'"
CONNECTED = "SELECT sessions FROM pg_stat_database WHERE datname = '{}'"


def run(stage: Stage) -> Iterator[Line]:
    """Yield the lines."""
    ours = stage.sidecar(500, f"--interval={30 / FASTER}s")
    database = stage.database(500)
    client.await_ready(ours.address, PROBE)
    client.get(ours.address, SCRAPE)
    time.sleep(1)
    held, share = [], []
    with stage.server.connect() as admin:
        begun, connected = time.monotonic(), _number(admin, CONNECTED.format(database.name))
        for _ in range(min(stage.rounds, 3)):
            before, began = ours.cpu(), time.monotonic()
            for tick in range(int(SECONDS * FASTER / 5)):
                time.sleep(max(0.0, began + tick * 5 / FASTER - time.monotonic()))
                client.get(ours.address, PROBE)
                if tick % 3 == 0:
                    client.get(ours.address, SCRAPE)
                held.append(float(_number(admin, SESSIONS)))
            share.append((ours.cpu() - before) / (time.monotonic() - began) / FASTER)
        time.sleep(1)  # A session counts once its statistics are written.
        minutes = (time.monotonic() - begun) * FASTER / 60
        new = (_number(admin, CONNECTED.format(database.name)) - connected) / minutes
    yield line("idle, open gate: share of a core", share, "%", at_most(0.1, "%"))
    held_median = sorted(held)[len(held) // 2]
    yield line("idle, open gate: connections held", [held_median], "", at_most(0, ""))
    yield line("idle, open gate: connections a minute", [new], "", at_most(2, ""))


def _number(admin: object, query: str) -> int:
    ((number,),) = admin.execute(query).fetchall()  # type: ignore[attr-defined]
    return int(number)
