"""How long until the next look at the database.

Often while the gate is shut, so that it opens a fraction of a second after the last
migration; seldom once it is open; ever slower while looks fail. Jitter only shortens, so
that a thousand pods do not march in step and no promise is overrun.
"""

from typing import Final

import msgspec

from sidecar.core.gate.state import Gate, Phase
from sidecar.core.reason import Reason

EAGER: Final = 0.25
PATIENT: Final = 2.0
IDLE: Final = 5.0
IDLE_AFTER: Final = 60.0
GROWTH: Final = 1.5
CONFIRM: Final = 1.0
BACKOFF_GROWTH: Final = 2.0
BACKOFF_LIMIT: Final = 15.0
JITTER: Final = 0.2
REST: Final = 4.0
"""A pause is at least so many times as long as the look before it took."""
KEEP_CONNECTION: Final = 1.0
"""A connection is let go when the next look is further away than this."""


class Cadence(msgspec.Struct, frozen=True):
    """The rhythm so far; `pause` is what to wait before the next look, in seconds."""

    progress_at: float
    pause: float = EAGER / GROWTH
    failures: int = 0


def advance(  # noqa: PLR0913 - the rhythm follows all of these
    cadence: Cadence,
    gate: Gate,
    *,
    at: float,
    failed: bool,
    progressed: bool,
    running: bool,
    steady: float,
    took: float = 0.0,
) -> Cadence:
    """Return the rhythm after a look.

    `progressed` says that the rows changed, or that a run of migrate began or ended;
    `running` that one is under way, which keeps a shut gate patient however long the
    migration takes; `steady` is the pause of an open gate; `took` is how long the look took,
    since looks at thousands of schemas must not keep the server busy by themselves.
    """
    progress_at = at if progressed else cadence.progress_at
    if failed:
        pause = min(EAGER * BACKOFF_GROWTH**cadence.failures, BACKOFF_LIMIT)
        return Cadence(progress_at, pause, min(cadence.failures + 1, 32))
    quiet = at - progress_at
    patience = IDLE if quiet > IDLE_AFTER and not running else PATIENT
    if gate.reason is Reason.MIGRATE_RUNNING and quiet <= IDLE_AFTER:
        patience = EAGER  # All rows are there, and what comes after them is mostly short.
    pause = _pause(cadence, gate, quiet, patience, steady)
    return Cadence(progress_at, max(pause, min(took * REST, IDLE)))


def _pause(cadence: Cadence, gate: Gate, quiet: float, patience: float, steady: float) -> float:
    if gate.phase is Phase.OPEN:
        return steady
    if gate.phase is Phase.HOLDING and gate.doubts:
        return CONFIRM
    if quiet == 0 or cadence.failures:
        return EAGER
    return min(cadence.pause * GROWTH, patience)


def jittered(pause: float, chance: float) -> float:
    """Return the pause, shortened by up to a fifth; `chance` is uniform in [0, 1)."""
    return pause * (1 - JITTER * chance)
