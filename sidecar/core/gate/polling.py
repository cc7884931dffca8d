"""How long until the next poll of a database.

Often while the gate is closed, so that it opens a fraction of a second after the last
migration; seldom once it is open; ever slower while reads fail. Jitter only shortens, so
that a thousand pods do not poll in step and no deadline is missed.
"""

from typing import Final

import msgspec

from sidecar.core.gate.state import Gate, Phase
from sidecar.core.reason import Reason

MIN_INTERVAL: Final = 0.25
WAITING_INTERVAL: Final = 2.0
IDLE_INTERVAL: Final = 5.0
IDLE_AFTER: Final = 60.0
"""Seconds without progress after which a closed gate polls at the idle interval."""
INTERVAL_GROWTH: Final = 1.5
CONFIRMATION_INTERVAL: Final = 1.0
BACKOFF_GROWTH: Final = 2.0
MAX_BACKOFF: Final = 15.0
JITTER: Final = 0.2
PAUSE_PER_READ_TIME: Final = 4.0
"""A pause lasts at least so many times as long as the read before it."""
MAX_CONNECTED_PAUSE: Final = 1.0
"""A connection is released when the next poll is further away than this."""


class Schedule(msgspec.Struct, frozen=True):
    """The schedule so far; `pause` is the time until the next poll, in seconds."""

    progress_at: float
    pause: float = MIN_INTERVAL / INTERVAL_GROWTH
    failures: int = 0


class Poll(msgspec.Struct, frozen=True, kw_only=True):
    """What one poll means for the next one."""

    at: float
    failed: bool
    """Nothing of the database could be read."""
    progressed: bool = False
    """The rows changed, or a migrate run began or ended."""
    migrating: bool = False
    """A migrate run is under way: a closed gate polls often, however long that takes."""
    duration: float = 0.0
    """Seconds: reading thousands of schemas must not keep the server busy by itself."""


def next_schedule(schedule: Schedule, gate: Gate, poll: Poll, open_interval: float) -> Schedule:
    """Return the schedule after a poll; `open_interval` is the pause of an open gate."""
    progress_at = poll.at if poll.progressed else schedule.progress_at
    if poll.failed:
        pause = min(MIN_INTERVAL * BACKOFF_GROWTH**schedule.failures, MAX_BACKOFF)
        return Schedule(progress_at, pause, min(schedule.failures + 1, 32))
    quiet = poll.at - progress_at
    limit = IDLE_INTERVAL if quiet > IDLE_AFTER and not poll.migrating else WAITING_INTERVAL
    if gate.reason is Reason.MIGRATE_RUNNING and quiet <= IDLE_AFTER:
        limit = MIN_INTERVAL  # All rows are there, and what follows them is mostly short.
    pause = _pause(schedule, gate, quiet, limit, open_interval)
    shortest = min(poll.duration * PAUSE_PER_READ_TIME, IDLE_INTERVAL)
    return Schedule(progress_at, max(pause, shortest))


def _pause(
    schedule: Schedule, gate: Gate, quiet: float, limit: float, open_interval: float
) -> float:
    if gate.phase is Phase.OPEN:
        return open_interval
    if gate.phase is Phase.HOLDING and gate.unconfirmed:
        return CONFIRMATION_INTERVAL
    if quiet == 0 or schedule.failures:
        return MIN_INTERVAL
    return min(schedule.pause * INTERVAL_GROWTH, limit)


def add_jitter(pause: float, random: float) -> float:
    """Return the pause, shortened by up to a fifth; `random` is uniform in [0, 1)."""
    return pause * (1 - JITTER * random)
