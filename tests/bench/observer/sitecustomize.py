"""Records from inside for how long a sidecar's event loop is kept from its next iteration.

An iteration lasts from one call of `select` to the next. Counted is the CPU time that the
whole process uses in it, which is what keeps the loop from iterating, whatever else the machine
is doing; and by how much `select` returned late, as far as another of our threads was running.
A tick each millisecond calls it often enough to see that. SIGUSR2 writes the longest
iteration so far, in seconds, to the file BENCH_STALL, and begins anew.
"""

import asyncio
import os
import selectors
import signal
import time
from collections.abc import Callable
from pathlib import Path

TICK = 0.001

Select = Callable[[float | None], list[tuple[selectors.SelectorKey, int]]]


class _Observer:
    def __init__(self, loop: asyncio.SelectorEventLoop) -> None:
        self._loop = loop
        self._longest = 0.0
        self._late = 0.0
        self._resumed = time.process_time()
        # The loop has no public name for its selector.
        self._select: Select = loop._selector.select  # type: ignore[attr-defined]
        loop._selector.select = self._select_and_record  # type: ignore[attr-defined]
        loop.add_signal_handler(signal.SIGUSR2, self._write)
        self._tick()

    def _select_and_record(
        self, timeout: float | None = None
    ) -> list[tuple[selectors.SelectorKey, int]]:
        spent = time.process_time()
        self._longest = max(self._longest, self._late + spent - self._resumed)
        asked = time.monotonic()
        events = self._select(timeout)
        late = 0.0 if timeout is None else time.monotonic() - asked - max(0.0, timeout)
        self._resumed = time.process_time()
        self._late = min(max(0.0, late), self._resumed - spent)
        return events

    def _tick(self) -> None:
        self._loop.call_later(TICK, self._tick)

    def _write(self) -> None:
        file = Path(os.environ["BENCH_STALL"])
        draft = file.with_name(file.name + ".new")
        draft.write_text(str(self._longest))
        draft.replace(file)
        self._longest = 0.0


if "BENCH_STALL" in os.environ:
    _begin = asyncio.BaseEventLoop.run_forever

    def _run_forever(loop: asyncio.SelectorEventLoop) -> None:
        loop.call_soon(_Observer, loop)
        _begin(loop)

    asyncio.BaseEventLoop.run_forever = _run_forever  # type: ignore[method-assign, assignment]
