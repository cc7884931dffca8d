"""CPU time, memory and wall time of processes, and the figure of several rounds.

The kernel accounts a thread's CPU time in nanoseconds (schedstat), which a busy machine
disturbs far less than wall clock; clock ticks of /proc/PID/stat are too coarse for a probe.
"""

import os
import re
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """The median of several rounds, with the least and the most."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, rounds: Sequence[float]) -> "Figure":
        """Return the figure of these rounds."""
        return cls(statistics.median(rounds), min(rounds), max(rounds))


@dataclass(frozen=True)
class Cost:
    """What a process has cost from start to end: seconds, and kibibytes at its largest."""

    wall: float
    cpu: float
    resident: int


def cpu(*processes: int) -> float:
    """Return the CPU seconds that the living threads of these processes have used."""
    spent = 0
    for process in processes:
        for task in _tasks(process):
            try:
                spent += int((task / "schedstat").read_text().split()[0])
            except OSError:  # the thread has ended meanwhile
                continue
    return spent / 1e9


def _tasks(process: int) -> list[Path]:
    try:
        return [*Path(f"/proc/{process}/task").glob("[0-9]*")]
    except OSError:  # the process has ended meanwhile
        return []


def family(parent: int) -> list[int]:
    """Return a process and all its descendants."""
    found = [parent]
    for process in found:
        for task in _tasks(process):
            try:
                found += map(int, (task / "children").read_text().split())
            except OSError:
                continue
    return found


def cpu_of_ended_children(process: int) -> float:
    """Return the CPU seconds of the children of a process that have ended."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def resident(*processes: int) -> float:
    """Return the resident memory of these processes together, in MiB."""
    lines = (
        line
        for process in processes
        for line in Path(f"/proc/{process}/status").read_text().splitlines()
    )
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


def private(process: int) -> float:
    """Return the memory of a process that it shares with nobody, in MiB; 0 once it has ended."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0.0
    found = re.search(r"RssAnon:\s*(\d+)", status)  # which a zombie has not
    return int(found[1]) / 1024 if found else 0.0


def spawn(arguments: Sequence[str | Path], environment: dict[str, str], folder: Path) -> Cost:
    """Run a command, which must succeed, to its end; return what it cost.

    By a small process: the largest memory of a child begins at that of its parent.
    """
    words = [sys.executable, "-I", "-S", "-c", LAUNCHER, *map(str, arguments)]
    printed = subprocess.check_output(words, env=environment, cwd=folder).split()
    wall, spent, resident, status = map(float, printed)
    if status:
        raise RuntimeError(f"{arguments} ended with {status:g}")
    return Cost(wall, spent, int(resident))


LAUNCHER = """
import os, sys, time
null = os.open("/dev/null", os.O_RDWR)
actions = [(os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, null, 1)]
began = time.perf_counter()
process = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=actions)
_, status, usage = os.wait4(process, 0)
wall = time.perf_counter() - began
print(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, os.waitstatus_to_exitcode(status))
"""
