"""`sidecar healthcheck`, as docker-compose runs it every few seconds."""

import py_compile
import statistics
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bench import client, measure
from bench.stage import PYTHON, Stage
from bench.table import Line, line, within
from sidecar import healthcheck
from support import project

if TYPE_CHECKING:
    from pathlib import Path

PROBE = client.PROBE.format(path="/readyz").encode()
EACH = 10
URLLIB = "import urllib.request as r; r.urlopen('{url}/readyz').read()"
EVERYTHING = "import aiohttp.web, asyncpg, prometheus_client"


def run(stage: Stage) -> Iterator[Line]:
    """Yield the lines."""
    server = stage.sidecar(500)
    client.await_ready(server.address, PROBE)
    compiled = stage.folder / "healthcheck.pyc"
    py_compile.compile(healthcheck.__file__, str(compiled))
    alone: list[str | Path] = [PYTHON, "-I", "-S"]
    image, installed, plain = "image", "installed", "python -c pass"
    bare, urllib, everything = "python -I -S -c pass", "a urllib one-liner", "importing everything"
    commands: dict[str, list[str | Path]] = {
        installed: [project.sidecar(), "healthcheck", f"--url={server.url}"],
        plain: [PYTHON, "-c", "pass"],
        image: [*alone, compiled, f"--url={server.url}"],
        bare: [*alone, "-c", "pass"],
        urllib: [PYTHON, "-c", URLLIB.format(url=server.url)],
        everything: [PYTHON, "-c", EVERYTHING],
    }
    wall: dict[str, list[float]] = {name: [] for name in commands}
    cpu: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(stage.rounds):
        costs: dict[str, list[measure.Cost]] = {name: [] for name in commands}
        for _ in range(EACH):
            for name, words in commands.items():
                costs[name].append(measure.spawn(words, project.environment(), stage.folder))
        for name, found in costs.items():
            wall[name].append(statistics.median(cost.wall for cost in found))
            cpu[name].append(statistics.median(cost.cpu for cost in found))
    for unit, spent in (("wall", wall), ("CPU", cpu)):
        for name, what, floor, goal in (
            (installed, "sidecar healthcheck", plain, within(1.3)),
            (image, "the image's HEALTHCHECK", bare, within(1.15)),
            (installed, "sidecar healthcheck", urllib, None),
            (installed, "sidecar healthcheck", everything, None),
        ):
            if goal or unit == "CPU":
                yield line(
                    f"{what}, {unit}", spent[name], "ms", goal, peer=floor, theirs=spent[floor]
                )
