"""From the start of the process to the first right answer."""

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import client, measure
from bench.stage import PEERS, PYTHON, Stage
from bench.table import Line, line, within
from support import project

READYZ, LIVEZ = (client.PROBE.format(path=path).encode() for path in ("/readyz", "/livez"))
WITHOUT_PYC = {"PYTHONPYCACHEPREFIX": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"}


def run(stage: Stage) -> Iterator[Line]:
    """Yield the lines; wall clock and CPU, since a busy machine falsifies the first."""
    words = [project.sidecar(), "serve", "--listen=127.0.0.1:0"]
    bare = project.environment()
    ours = stage.environment(500)
    naive = [str(PYTHON), str(PEERS / "naive.py")]
    started: dict[str, Callable[[], tuple[float, float]]] = {
        "readyz": lambda: _start(words, ours, READYZ),
        "livez": lambda: _start(words, ours, LIVEZ),
        "naive": lambda: _start(naive, bare, READYZ),
        "asyncio": lambda: _start([str(PYTHON), str(PEERS / "bare_asyncio.py")], bare, READYZ),
        "readyz, no .pyc": lambda: _start(words, ours | WITHOUT_PYC, READYZ),
        "naive, no .pyc": lambda: _start(naive, bare | WITHOUT_PYC, READYZ),
    }
    wall: dict[str, list[float]] = {name: [] for name in started}
    cpu: dict[str, list[float]] = {name: [] for name in started}
    for _ in range(stage.rounds + 2):
        for name, start in started.items():
            took, spent = start()
            wall[name].append(took)
            cpu[name].append(spent)
    floor = "naive imports, serving"
    for unit, found in (("wall", wall), ("CPU", cpu)):
        for path in ("readyz", "livez"):
            what = f"start to the first right /{path}, {unit}"
            goal, theirs = within(1.25), found["naive"]
            yield line(what, found[path], "ms", goal, peer=floor, theirs=theirs)
    what = "start to the first right /readyz, CPU"
    yield line(what, cpu["readyz"], "ms", peer="bare asyncio", theirs=cpu["asyncio"])
    yield line(
        f"{what}, no .pyc files shipped",
        *(cpu["readyz, no .pyc"], "ms"),
        peer=floor,
        theirs=cpu["naive, no .pyc"],
    )


def _start(words: list[str], environment: dict[str, str], request: bytes) -> tuple[float, float]:
    """Start it, wait for its address and then for a 200; return wall and CPU seconds."""
    began = time.perf_counter()
    with subprocess.Popen(
        words,
        env=environment,
        cwd=Path("/"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        for printed in process.stdout:
            if found := re.search(r"http://(127\.0\.0\.1):(\d+)", printed):
                break
        else:
            raise RuntimeError(f"{words} ended before it listened")
        while client.get((found[1], int(found[2])), request)[0] != 200:
            time.sleep(0.002)
        took, spent = time.perf_counter() - began, measure.cpu(process.pid)
        os.kill(process.pid, 9)
    return took, spent
