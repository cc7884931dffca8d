"""What the gate is, the events that change it, and what its operator decided: values only."""

from enum import StrEnum
from typing import NoReturn

import msgspec

from sidecar.core.migrations.compare import Outcome
from sidecar.core.reason import Reason


class Phase(StrEnum):
    """The phases of the gate; traffic may arrive in `open` and `holding`."""

    STARTING = "starting"
    WAITING = "waiting"
    OPEN = "open"
    HOLDING = "holding"
    CLOSED = "closed"
    DRAINING = "draining"


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator decided; durations in seconds."""

    on_ahead_ready: bool = True
    close_after_outage: float | None = None
    """How long reads may fail before an open gate closes; None: for ever."""
    close_on_regression: bool = True
    on_pruned: str = "hold"
    """`hold`, `close` or `accept`."""
    settle: float = 0.0
    """How long the schema must be good before the gate opens."""


class PollResult(msgspec.Struct, frozen=True, kw_only=True):
    """What all required schemas came to when one database was polled."""

    at: float
    outcome: Outcome | None = None
    """The worst verdict; None if something required could not be read."""
    failure: Reason | None = None
    """Why it could not be read."""
    pruned: bool = False
    """All that is behind is a pruned squash."""
    migrating: bool = False
    """A `sidecar migrate` is under way."""
    database: str = ""
    """The database that was polled."""
    repeated: bool = False
    """The outcome is another database's, and was announced before."""
    cleared: bool = False
    """All that is required of the polled database is current."""
    outage: bool = False
    """Something required could not be read, whatever the outcome of the rest."""


class Tick(msgspec.Struct, frozen=True):
    """Time has passed."""

    at: float


class Drain(msgspec.Struct, frozen=True):
    """The process is about to stop."""

    at: float


Event = PollResult | Tick | Drain


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """The gate as it is. Times are seconds on the clock of the events."""

    phase: Phase = Phase.STARTING
    reason: Reason = Reason.STARTING
    holding: Reason | None = None
    """What the gate is held open against."""
    since: float
    """When phase, reason or holding last changed."""
    opened_at: float | None = None
    """When the gate first opened."""
    unconfirmed: dict[str, int] = {}
    """By database: polls in a row that contradict the phase and are not yet believed."""
    good_since: float | None = None
    failing_since: float | None = None

    @property
    def ready(self) -> bool:
        """Whether traffic may arrive."""
        return self.phase in {Phase.OPEN, Phase.HOLDING}

    def __bool__(self) -> NoReturn:
        """Open, holding and merely not closed are three things; name the one that you mean."""
        raise TypeError("a Gate has no truth value; use .ready or .phase")
