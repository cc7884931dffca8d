"""The pod's status condition, for `readinessGates`: `pod_condition`.

Listening only notes what the condition should be; a task of its own writes it, so that a
slow or absent API server is in nobody's way.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Protocol, Self

import msgspec

from sidecar.core.gate.snapshot import Snapshot
from sidecar.core.views.text import gate_line
from sidecar.errors import KubernetesError
from sidecar.outputs.kubernetes.client import Condition

LOG = logging.getLogger("sidecar.pod")

LONGEST: Final = 1024
"""Characters of a message."""


class Pod(Protocol):
    """A pod's status, as far as it is needed here; raises KubernetesError."""

    async def read(self, kind: str) -> Condition | None:
        """Return the pod's condition of this type."""

    async def write(self, condition: Condition) -> None:
        """Add the condition, or replace the one of its type."""


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How often, in seconds."""

    words: float = 15.0
    """A new status is written at once, new words for the same one no more often than this."""
    refresh: float = 600.0
    """How long what was written is believed to be there."""
    retry: float = 0.5
    """The first pause after a failure; it doubles."""
    longest_retry: float = 30.0
    farewell: float = 2.0
    """How long the end of the process may be held up."""


def told(kind: str, snapshot: Snapshot, before: Condition | None) -> Condition:
    """Return the condition that a snapshot asks for; the time is that of the status."""
    gate = snapshot.gate
    status = "True" if gate.ready else "False"
    since: str | None = _seconds(gate.since + snapshot.epoch)
    if before is not None and before.status == status:
        since = before.last_transition_time
    return Condition(
        kind=kind,
        status=status,
        reason="".join(word.capitalize() for word in (gate.holding or gate.reason).split("_")),
        message=gate_line(gate, snapshot.targets)[:LONGEST],
        last_transition_time=since,
    )


def _seconds(epoch: float) -> str:
    """Return RFC 3339 as Kubernetes has it, to the second."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class PodCondition:
    """Keeps one condition of the pod as the gate is, from entering it to leaving it."""

    def __init__(
        self, kind: str, pod: Pod, *, chance: Callable[[], float], pace: Pace | None = None
    ) -> None:
        """Take the condition's type and the pod; nothing is asked before it is entered."""
        self._kind = kind
        self._pod = pod
        self._chance = chance
        self._pace = pace or Pace()
        self._wanted: Condition | None = None
        self._moved = asyncio.Event()
        self._known: Condition | None = None
        self._known_until = 0.0
        self._failures = 0
        self._complaint = ""

    def announce(self, snapshot: Snapshot) -> None:
        """Note what is to be written; never blocks."""
        before = self._wanted
        self._wanted = told(self._kind, snapshot, before)
        if before is None or before.status != self._wanted.status:
            self._moved.set()

    async def __aenter__(self) -> Self:
        """Begin to write."""
        self._task = asyncio.create_task(self._run(), name="pod condition")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write what is wanted last, if that can be had in a moment."""
        self._task.cancel()
        await asyncio.wait({self._task})
        with suppress(TimeoutError):
            async with asyncio.timeout(self._pace.farewell):
                while (pause := await self._write()) is not None:  # noqa: ASYNC110 - it writes
                    await asyncio.sleep(pause)

    async def _run(self) -> None:
        while True:
            self._moved.clear()
            pause = await self._write()
            if pause is not None:
                await asyncio.sleep(pause)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pace.words):
                    await self._moved.wait()

    async def _write(self) -> float | None:
        """Bring the pod up to date; return None, or how long to wait before the next attempt."""
        wanted = self._wanted
        if wanted is None:
            return None
        try:
            await self._bring(wanted)
        except KubernetesError as error:
            return self._failed(str(error), error.retry_after)
        except Exception as error:
            LOG.exception("the pod's condition failed; please report it")
            return self._failed(type(error).__name__, None)
        if self._failures:
            LOG.info("pod condition %s is written again", self._kind)
        self._failures, self._complaint = 0, ""
        return None

    async def _bring(self, wanted: Condition) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._known_until:
            self._known = await self._pod.read(self._kind)
            self._known_until = now + self._pace.refresh
        known = self._known
        if known is not None and known.says() == wanted.says():
            return
        if known is not None and known.status == wanted.status:
            kept = known.last_transition_time
            wanted = msgspec.structs.replace(wanted, last_transition_time=kept)
        # Whoever does not hear the answer cannot know what is there.
        until, self._known_until = self._known_until, 0.0
        await self._pod.write(wanted)
        self._known, self._known_until = wanted, until

    def _failed(self, complaint: str, retry_after: float | None) -> float:
        self._known_until = 0.0
        if complaint != self._complaint:
            self._complaint = complaint
            LOG.warning("pod condition %s is not written: %s", self._kind, complaint)
        pace = self._pace
        pause = min(pace.longest_retry, pace.retry * 2.0 ** min(self._failures, 30))
        self._failures += 1
        # Never all pods at once, and never sooner than the server asks.
        return max(pause * (1 + self._chance()) / 2, min(retry_after or 0.0, pace.longest_retry))
