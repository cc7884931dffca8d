"""How `compare` and the start of it grow with the project, beside Django's own plan."""

import gc
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar

from bench.stage import PEERS, PYTHON, Stage, manifest, rows
from bench.table import Line, at_most, line
from sidecar.core.migrations.compare import Comparer, check
from sidecar.core.migrations.manifest import decode
from sidecar.core.migrations.recorded import Recorded

T = TypeVar("T")

SIZES = (50, 500, 5_000, 50_000)
DJANGO = 5_000


def run(stage: Stage) -> Iterator[Line]:
    """Yield the lines."""
    for size in SIZES:
        data, recorded = manifest(size), Recorded(rows(size))
        reading, first, steady = [], [], []
        for _ in range(stage.rounds):
            spent, expected = _time_call(partial(decode, data))
            checked, _ = _time_call(partial(check, expected))
            reading.append(spent + checked)
            keys = recorded.keys()
            compare = Comparer(expected).compare
            first.append(_time_call(partial(compare, keys))[0])
            steady.append(_time_call(partial(compare, keys))[0])
        theirs = [executor(stage, size) for _ in steady] if size <= DJANGO else []
        peer = "Django's executor: load and plan" if theirs else ""
        goal = at_most(25, "ms") if size == SIZES[-1] else None
        what = f"compare, {size:,} migrations, CPU"
        yield line(what, steady, "ms", goal, peer=peer, theirs=theirs)
        yield line(f"{what}, the first time", first, "ms")
        yield line(f"reading the manifest, {size:,} migrations, CPU", reading, "ms")


def _time_call(call: Callable[[], T]) -> tuple[float, T]:
    gc.collect()
    began = time.process_time()
    result = call()
    return time.process_time() - began, result


def executor(stage: Stage, size: int) -> float:
    """Return the CPU of what Django's executor takes to load the graph, ask and plan."""
    words = [str(PYTHON), str(PEERS / "django_site.py"), "time"]
    return float(subprocess.check_output(words, env=stage.django(size)))
