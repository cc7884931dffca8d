"""Inspects a sidecar from inside, without changing it: Python imports this file at start.

SIGUSR2 writes to the file FAULTS_TASKS how many asyncio tasks there are, and how many threads
besides those of asyncio's pool, which it makes when all are busy, and keeps. SIGUSR1 blocks
the event loop while the file FAULTS_BLOCKED is there.
"""

import asyncio
import os
import signal
import threading
import time
from pathlib import Path


def _count(*_: object) -> None:
    try:
        tasks = len(asyncio.all_tasks())
    except RuntimeError:  # the loop does not run yet, or no longer
        return
    file = Path(os.environ["FAULTS_TASKS"])
    draft = file.with_name(file.name + ".new")
    pool = sum(thread.name.startswith("asyncio_") for thread in threading.enumerate())
    threads = len(list(Path("/proc/self/task").iterdir())) - pool
    draft.write_text(f"{tasks} {threads}")
    draft.replace(file)


def _block(*_: object) -> None:
    while Path(os.environ["FAULTS_BLOCKED"]).exists():
        time.sleep(0.02)


if "FAULTS_TASKS" in os.environ:
    signal.signal(signal.SIGUSR2, _count)
    signal.signal(signal.SIGUSR1, _block)
