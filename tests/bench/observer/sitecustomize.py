"""Measures from inside for how long a sidecar's event loop does not turn.

A tick each millisecond; between two of them, the CPU time that the whole process used is
what kept the loop from turning, whatever else the machine was doing. SIGUSR2 writes the
longest so far, in seconds, to the file BENCH_STALL, and begins anew.
"""

import asyncio
import os
import signal
import time
from pathlib import Path

TICK = 0.001


class _Ticker:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._longest = 0.0
        self._before = time.process_time()
        loop.add_signal_handler(signal.SIGUSR2, self._write)
        self._tick()

    def _tick(self) -> None:
        now = time.process_time()
        self._longest = max(self._longest, now - self._before)
        self._before = now
        self._loop.call_later(TICK, self._tick)

    def _write(self) -> None:
        file = Path(os.environ["BENCH_STALL"])
        draft = file.with_name(file.name + ".new")
        draft.write_text(str(self._longest))
        draft.replace(file)
        self._longest = 0.0


if "BENCH_STALL" in os.environ:
    _begin = asyncio.BaseEventLoop.run_forever

    def _run_forever(loop: asyncio.BaseEventLoop) -> None:
        loop.call_soon(_Ticker, loop)
        _begin(loop)

    asyncio.BaseEventLoop.run_forever = _run_forever  # type: ignore[method-assign]
