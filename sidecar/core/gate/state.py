"""What a gate can be, what it can see, and what its operator decided: values only."""

from enum import StrEnum
from typing import NoReturn

import msgspec

from sidecar.core.migrations.compare import Outcome
from sidecar.core.reason import Reason


class Phase(StrEnum):
    """The states of the gate; traffic may arrive in `open` and `holding`."""

    STARTING = "starting"
    WAITING = "waiting"
    OPEN = "open"
    HOLDING = "holding"
    CLOSED = "closed"
    DRAINING = "draining"


class Signal(StrEnum):
    """What an event means once the policy has been asked."""

    GOOD = "good"
    MIGRATING = "migrating"
    AHEAD = "ahead, not ready"
    PRUNED = "pruned"
    BEHIND = "behind"
    INCONSISTENT = "inconsistent"
    FAILED = "look failed"
    TIME = "time passes"
    DRAIN = "drain"


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator decided; durations in seconds."""

    on_ahead_ready: bool = True
    close_after_outage: float | None = None
    """How long reads may fail before an open gate closes; None for ever."""
    close_on_regression: bool = True
    on_pruned: str = "hold"
    """`hold`, `close` or `accept`."""
    settle: float = 0.0


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What a look at the database said, or why it said nothing."""

    at: float
    outcome: Outcome | None = None
    failure: Reason | None = None
    pruned: bool = False
    migrating: bool = False
    looked: str = ""
    """Which database was looked at."""
    repeated: bool = False
    """Nothing of it was read anew: others have said so before."""
    cleared: bool = False
    """All that is required of the database that was looked at is current."""
    outage: bool = False
    """Something that is required could not be read, whatever the rest says."""


class Tick(msgspec.Struct, frozen=True):
    """Time has passed."""

    at: float


class Drain(msgspec.Struct, frozen=True):
    """The process was told to stop."""

    at: float


Event = Look | Tick | Drain


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the gate. Times are seconds on the clock of the events."""

    phase: Phase = Phase.STARTING
    reason: Reason = Reason.STARTING
    holding: Reason | None = None
    """What the gate is held open against."""
    since: float
    """When phase, reason or holding last changed."""
    opened_at: float | None = None
    """When the gate first opened."""
    doubts: dict[str, int] = {}
    """By database: looks in a row that spoke against the state and are not yet believed."""
    good_since: float | None = None
    failing_since: float | None = None

    @property
    def ready(self) -> bool:
        """Whether traffic may arrive."""
        return self.phase in {Phase.OPEN, Phase.HOLDING}

    def __bool__(self) -> NoReturn:
        """Open, holding and merely not closed are three things; say which is meant."""
        raise TypeError("a Gate has no truth value; ask for .ready or .phase")
