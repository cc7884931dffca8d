"""Resident memory after 10,000 probes, 1,000 scrapes and 1,000 reads."""

import re
from collections.abc import Iterator

from bench import client, measure
from bench.stage import Running, Stage
from bench.table import Line, at_most, line, within
from support.process import ask

PROBE = client.PROBE.format(path="/readyz").encode()
SCRAPE = client.SCRAPE.format(path="/metrics").encode()
PROBES, SCRAPES, READS = 10_000, 1_000, 1_000


def run(stage: Stage) -> Iterator[Line]:
    """Yield the lines; memory hardly varies, so two rounds are enough."""
    ours, naive, django, flat = [], [], [], []
    for _ in range(2):
        sidecar = stage.sidecar(500, "--interval=5ms")
        client.await_ready(sidecar.address, PROBE)
        half = _load(sidecar)
        ours.append(_load(sidecar))
        flat.append(ours[-1] - half)
        sidecar.process.terminate()
        peer = stage.peer("naive.py")
        _load(peer, reads=False)
        naive.append(measure.resident(*peer.processes))
        gunicorn = stage.gunicorn(500)
        client.await_ready(gunicorn.address, PROBE)
        client.measure_latencies(gunicorn.address, PROBE, 10)
        django.append(measure.resident(*gunicorn.processes))
    what = "memory, 500 migrations"
    yield line(what, ours, "MiB", within(1.1), peer="naive imports, serving", theirs=naive)
    yield line(what, ours, "MiB", peer="gunicorn + Django, empty project", theirs=django)
    yield line("memory, growth over the second half", flat, "MiB", at_most(0.5, "MiB"))
    for size in (5_000, 50_000):
        sidecar = stage.sidecar(size)
        client.await_ready(sidecar.address, PROBE, within=60)
        figure = measure.resident(*sidecar.processes)
        yield line(f"memory, {size:,} migrations", [figure], "MiB")


def _load(server: Running, *, reads: bool = True) -> float:
    """Do half of it all; return the memory afterwards."""
    client.measure_latencies(server.address, PROBE, PROBES // 2)
    client.measure_latencies(server.address, SCRAPE, SCRAPES // 2)
    begun = _count_reads(server) if reads else 0
    while reads and _count_reads(server) < begun + READS // 2:
        client.measure_latencies(server.address, PROBE, 10)
    return measure.resident(*server.processes)


def _count_reads(server: Running) -> int:
    text = ask(server.url + "/metrics")[1]
    return sum(int(float(n)) for n in re.findall(r"_reads_total\{.*\} (\S+)", text))
