"""One probe as kubelet sends it: a new connection each time."""

import statistics
from collections.abc import Iterator

from bench import client
from bench.stage import Running, Stage
from bench.table import Line, Target, ahead, line, within

REQUEST = client.PROBE.format(path="/readyz").encode()
OURS = "sidecar"
PLAIN, LARGE = "Django + executor", "Django + executor, 5,000 migrations"
AIOHTTP, ASYNCIO = "bare aiohttp", "bare asyncio"
SLOW = {PLAIN: 12, LARGE: 3}
FAST = 400


def run(stage: Stage) -> Iterator[Line]:
    """Yield the lines."""
    servers = {
        OURS: stage.sidecar(500),
        PLAIN: stage.gunicorn(500),
        LARGE: stage.gunicorn(5000),
        AIOHTTP: stage.peer("bare_aiohttp.py"),
        ASYNCIO: stage.peer("bare_asyncio.py"),
    }
    for server in servers.values():
        client.await_ready(server.address, REQUEST)
    cpu: dict[str, list[float]] = {name: [] for name in servers}
    median: dict[str, list[float]] = {name: [] for name in servers}
    rate: dict[str, list[float]] = {name: [] for name in servers}
    for _ in range(stage.rounds):
        for name, server in servers.items():
            spent, middle = measure(server, SLOW.get(name, FAST))
            cpu[name].append(spent)
            median[name].append(middle)
            rate[name].append(client.throughput(server.address, REQUEST, SLOW.get(name, FAST) * 2))
    goal: Target | None
    for peer, goal in ((PLAIN, ahead(60)), (LARGE, ahead(300))):
        yield line("probe, server CPU", cpu[OURS], "µs", goal, peer=peer, theirs=cpu[peer])
    for peer in (AIOHTTP, ASYNCIO):
        goal = within(1.05) if peer == AIOHTTP else None
        yield line("probe, server CPU", cpu[OURS], "µs", goal, peer=peer, theirs=cpu[peer])
    for peer, goal in ((PLAIN, ahead(60)), (LARGE, ahead(150)), (AIOHTTP, None)):
        yield line(
            "probe, throughput of 4 clients",
            *(rate[OURS], "/s", goal),
            peer=peer,
            theirs=rate[peer],
            more_is_better=True,
        )
    for peer in (PLAIN, AIOHTTP):
        yield line("probe, p50", median[OURS], "ms", peer=peer, theirs=median[peer])


def measure(server: Running, count: int, request: bytes = REQUEST) -> tuple[float, float]:
    """Return CPU a probe, and the median time of one."""
    client.measure_latencies(server.address, request, 2)
    before = server.cpu()
    took = client.measure_latencies(server.address, request, count)
    return (server.cpu() - before) / count, statistics.median(took)
