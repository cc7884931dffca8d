"""Looks into a sidecar from inside, without changing it: Python imports this file at start.

SIGUSR2 writes how many asyncio tasks there are to the file FAULTS_TASKS; SIGUSR1 blocks
the event loop while the file FAULTS_BLOCKED is there.
"""

import asyncio
import os
import signal
import time
from pathlib import Path


def _count(*_: object) -> None:
    try:
        count = len(asyncio.all_tasks())
    except RuntimeError:  # the loop does not run yet, or no longer
        return
    file = Path(os.environ["FAULTS_TASKS"])
    draft = file.with_name(file.name + ".new")
    draft.write_text(str(count))
    draft.replace(file)


def _block(*_: object) -> None:
    while Path(os.environ["FAULTS_BLOCKED"]).exists():
        time.sleep(0.02)


if "FAULTS_TASKS" in os.environ:
    signal.signal(signal.SIGUSR2, _count)
    signal.signal(signal.SIGUSR1, _block)
