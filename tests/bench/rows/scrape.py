"""One scrape as Prometheus sends it, when nothing has changed since the last one."""

from collections.abc import Iterator

from bench import client
from bench.rows.probe import measure
from bench.stage import Stage
from bench.table import Line, line, within

PROBE = client.PROBE.format(path="/readyz").encode()
SCRAPE = client.SCRAPE.format(path="/metrics").encode()
EACH = 200


def run(stage: Stage) -> Iterator[Line]:
    """Yield the lines."""
    ours, naive, exporter = stage.sidecar(500), stage.peer("naive.py"), stage.sql_exporter(500)
    client.await_ready(ours.address, PROBE)
    targets = {"/readyz": (ours, PROBE), "ours": (ours, SCRAPE), "naive": (naive, SCRAPE)}
    if exporter:
        targets["exporter"] = (exporter, SCRAPE)
    for server, request in targets.values():
        client.await_ready(server.address, request)
    cpu: dict[str, list[float]] = {name: [] for name in targets}
    for _ in range(stage.rounds):
        for name, (server, request) in targets.items():
            cpu[name].append(measure(server, EACH, request)[0])
    what = "scrape, server CPU"
    yield line(what, cpu["ours"], "µs", peer="our own /readyz", theirs=cpu["/readyz"])
    yield line(
        *(what, cpu["ours"], "µs", within(1)),
        peer="generate_latest at each scrape, 30 series",
        theirs=cpu["naive"],
    )
    name = "prometheus-sql-exporter" + ("" if exporter else " (not installed)")
    yield line(what, cpu["ours"], "µs", peer=name, theirs=cpu.get("exporter", ()))
