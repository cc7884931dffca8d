"""The gate: whether traffic may arrive, as a state machine over what was seen.

The rules, in words:

- A gate that never opened stays shut until the schema is current (or ahead, where that
  counts as ready), no `sidecar migrate` is under way, and that has been so for `settle`.
- An open gate does not close because it cannot tell: a failed look holds it open. With
  `close_after_outage` it closes once looks have failed for that long.
- An open gate closes on a regression (behind, inconsistent, or ahead where that is not
  ready), but only when two looks in a row say so; until then, and
  for ever with `on_regression=hold`, it holds.
- Inconsistent is believed only when two looks in a row say so, in every state: a run of
  `migrate` can show half a squash between two commits.
- A failed look neither confirms nor clears a regression, and neither does a look at another
  database.
- A pruned squash (its row is there, those of its originals are gone) holds an open gate and
  never opens a shut one, unless `on_pruned` is `close` or `accept`.
- Draining is final.

`TABLE` says which rule applies in which phase to which signal; a pair without a cell is a
bug and raises.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from sidecar.core.gate.state import Drain, Event, Gate, Look, Phase, Policy, Signal, Tick
from sidecar.core.migrations.compare import Outcome
from sidecar.core.reason import Reason


class _Moment(msgspec.Struct, frozen=True):
    signal: Signal
    reason: Reason
    at: float
    policy: Policy
    looked: str = ""
    repeated: bool = False
    outage: bool = False


Rule = Callable[[Gate, _Moment], Gate]

INCONSISTENT_LOOKS: Final = 2

REGRESSION_CONFIRMATIONS: Final = 2
"""Readings in a row before an open gate believes a regression."""


def begin(at: float, *, remembered: bool = False) -> Gate:
    """Return the first state; `remembered` says that this gate was open before a restart."""
    if not remembered:
        return Gate(since=at)
    return Gate(
        phase=Phase.HOLDING,
        reason=Reason.SCHEMA_CURRENT,
        holding=Reason.STARTING,
        since=at,
        opened_at=at,
    )


def step(gate: Gate, event: Event, policy: Policy) -> Gate:
    """Return the state after this event."""
    signal, reason = _read(event, policy)
    moment, doubted = _Moment(signal, reason, event.at, policy), gate
    if isinstance(event, Look):
        who = (event.looked, event.repeated, event.outage)
        moment = _Moment(signal, reason, event.at, policy, *who)
        doubted = _cleared(gate, event)
    after = TABLE[gate.phase, signal](doubted, moment)
    if (after.phase, after.reason, after.holding) != (gate.phase, gate.reason, gate.holding):
        after = msgspec.structs.replace(after, since=event.at)
    if after.phase is Phase.OPEN and after.opened_at is None:
        after = msgspec.structs.replace(after, opened_at=event.at)
    return after


def due(gate: Gate, policy: Policy) -> float | None:
    """Return when the passing of time alone will change the state, if ever."""
    if gate.phase is Phase.HOLDING and policy.close_after_outage is not None:
        since = gate.failing_since
        return None if since is None else since + policy.close_after_outage
    return None


def _read(event: Event, policy: Policy) -> tuple[Signal, Reason]:
    match event:
        case Tick():
            return Signal.TIME, Reason.STARTING
        case Drain():
            return Signal.DRAIN, Reason.DRAINING
        case Look(failure=Reason() as failure):
            return Signal.FAILED, failure
        case Look(outcome=Outcome.INCONSISTENT):
            return Signal.INCONSISTENT, Reason.HISTORY_INCONSISTENT
        case Look(outcome=Outcome.BEHIND, pruned=True) if policy.on_pruned == "accept":
            return Signal.GOOD, Reason.SCHEMA_AHEAD
        case Look(outcome=Outcome.BEHIND, pruned=True):
            return Signal.PRUNED, Reason.SCHEMA_BEHIND
        case Look(outcome=Outcome.BEHIND):
            return Signal.BEHIND, Reason.SCHEMA_BEHIND
        case Look(outcome=Outcome.AHEAD) if not policy.on_ahead_ready:
            return Signal.AHEAD, Reason.SCHEMA_AHEAD
        case Look(migrating=True):
            return Signal.MIGRATING, Reason.MIGRATE_RUNNING
        case Look(outcome=Outcome.AHEAD):
            return Signal.GOOD, Reason.SCHEMA_AHEAD
        case _:
            return Signal.GOOD, Reason.SCHEMA_CURRENT


def _become(gate: Gate, phase: Phase, reason: Reason, holding: Reason | None = None) -> Gate:
    """Enter a phase with nothing pending: no doubts, no good or failing streak."""
    return Gate(
        phase=phase, reason=reason, holding=holding, since=gate.since, opened_at=gate.opened_at
    )


def _cleared(gate: Gate, look: Look) -> Gate:
    """Return the gate without the doubts of a database that is found to be current."""
    if not look.cleared:
        return gate
    doubts = {name: count for name, count in gate.doubts.items() if name != look.looked}
    return msgspec.structs.replace(gate, doubts=doubts)


def _counted(gate: Gate, moment: _Moment) -> dict[str, int]:
    """Return the doubts with this look; only looks at one database confirm each other."""
    if moment.repeated:
        return gate.doubts
    return {**gate.doubts, moment.looked: gate.doubts.get(moment.looked, 0) + 1}


def ignore(gate: Gate, moment: _Moment) -> Gate:  # noqa: ARG001 - every rule has one shape
    """Nothing changes."""
    return gate


def drain(gate: Gate, moment: _Moment) -> Gate:
    """Not ready, finally."""
    return _become(gate, Phase.DRAINING, moment.reason)


def wait(gate: Gate, moment: _Moment) -> Gate:
    """Not ready; the reason is what was seen."""
    phase = Phase.CLOSED if gate.phase is Phase.CLOSED else Phase.WAITING
    return _become(gate, phase, moment.reason)


def wait_blind(gate: Gate, moment: _Moment) -> Gate:
    """Not ready; what was seen before is neither confirmed nor cleared."""
    return msgspec.structs.replace(gate, phase=Phase.WAITING, reason=moment.reason, good_since=None)


def doubt(gate: Gate, moment: _Moment) -> Gate:
    """Not ready; the reason changes only when a second look in a row agrees."""
    doubts = _counted(gate, moment)
    if max(doubts.values(), default=0) >= INCONSISTENT_LOOKS:
        return msgspec.structs.replace(wait(gate, moment), doubts=doubts)
    return msgspec.structs.replace(gate, doubts=doubts, good_since=None)


def settle(gate: Gate, moment: _Moment) -> Gate:
    """Opens once the schema has been good for `settle`."""
    good_since = moment.at if gate.good_since is None else gate.good_since
    if moment.at - good_since >= moment.policy.settle:
        return _become(gate, Phase.OPEN, moment.reason)
    return msgspec.structs.replace(gate, good_since=good_since, doubts={})


def keep_open(gate: Gate, moment: _Moment) -> Gate:
    """Ready; every doubt is cleared."""
    seen_running = moment.signal is Signal.MIGRATING
    return _become(gate, Phase.OPEN, gate.reason if seen_running else moment.reason)


def confirm(gate: Gate, moment: _Moment) -> Gate:
    """Closes when enough looks in a row agree, unless the policy is to hold; holds until then."""
    policy, doubts = moment.policy, _counted(gate, moment)
    closes = policy.close_on_regression or moment.signal in {Signal.AHEAD, Signal.PRUNED}
    if closes and max(doubts.values(), default=0) >= REGRESSION_CONFIRMATIONS:
        return _become(gate, Phase.CLOSED, moment.reason)
    held = _become(gate, Phase.HOLDING, gate.reason, holding=moment.reason)
    # An outage of one database goes on while another one is behind.
    failing_since = gate.failing_since if moment.outage else None
    return msgspec.structs.replace(held, doubts=doubts, failing_since=failing_since)


def hold_pruned(gate: Gate, moment: _Moment) -> Gate:
    """Holds, with a warning; with `on_pruned=close` it is a regression like any other."""
    if moment.policy.on_pruned == "close":
        return confirm(gate, moment)
    return _become(gate, Phase.HOLDING, gate.reason, holding=moment.reason)


def hold_outage(gate: Gate, moment: _Moment) -> Gate:
    """Holds; with `close_after_outage`, until looks have failed for that long."""
    failing_since = moment.at if gate.failing_since is None else gate.failing_since
    held = msgspec.structs.replace(
        gate, phase=Phase.HOLDING, holding=moment.reason, failing_since=failing_since
    )
    return lapse(held, moment)


def lapse(gate: Gate, moment: _Moment) -> Gate:
    """Closes when the outage has lasted as long as `close_after_outage`."""
    end = due(gate, moment.policy)
    if end is None or moment.at < end or gate.holding is None:
        return gate
    return _become(gate, Phase.CLOSED, gate.holding)


TABLE: Final[dict[tuple[Phase, Signal], Rule]] = {
    (phase, signal): rule
    for phase, rules in {
        Phase.STARTING: (settle, wait, wait, wait, wait, doubt, wait_blind, ignore, drain),
        Phase.WAITING: (settle, wait, wait, wait, wait, doubt, wait_blind, ignore, drain),
        Phase.OPEN: (
            *(keep_open, keep_open, confirm, hold_pruned, confirm, confirm),
            *(hold_outage, ignore, drain),
        ),
        Phase.HOLDING: (
            *(keep_open, keep_open, confirm, hold_pruned, confirm, confirm),
            *(hold_outage, lapse, drain),
        ),
        Phase.CLOSED: (settle, wait, wait, wait, wait, doubt, ignore, ignore, drain),
        Phase.DRAINING: (ignore,) * len(Signal),
    }.items()
    for signal, rule in zip(Signal, rules, strict=True)
}
