"""What each cell of the gate's table does: functions from a gate and an event to the next gate."""

from collections.abc import Callable
from enum import StrEnum
from typing import Final

import msgspec
from msgspec.structs import replace

from sidecar.core.gate.state import Gate, Phase, Policy
from sidecar.core.reason import Reason

INCONSISTENT_CONFIRMATIONS: Final = 2
"""Polls in a row before an inconsistent history is believed."""

REGRESSION_CONFIRMATIONS: Final = 2
"""Polls in a row before a regression is believed."""


class Input(StrEnum):
    """What an event means under the policy: the columns of the table."""

    GOOD = "good"
    MIGRATING = "migrating"
    AHEAD = "ahead, not ready"
    PRUNED = "pruned"
    BEHIND = "behind"
    INCONSISTENT = "inconsistent"
    READ_FAILED = "read failed"
    TIME_PASSED = "time passes"
    DRAIN = "drain"


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One event, as the rules need it."""

    input: Input
    reason: Reason
    at: float
    policy: Policy
    database: str = ""
    repeated: bool = False
    outage: bool = False


Rule = Callable[[Gate, Change], Gate]


def ignore(gate: Gate, change: Change) -> Gate:  # noqa: ARG001 - every rule has one shape
    """Nothing changes."""
    return gate


def drain(gate: Gate, change: Change) -> Gate:
    """Not ready, finally."""
    return _enter(gate, Phase.DRAINING, change.reason)


def wait(gate: Gate, change: Change) -> Gate:
    """Not ready; the reason is what was read."""
    phase = Phase.CLOSED if gate.phase is Phase.CLOSED else Phase.WAITING
    return _enter(gate, phase, change.reason)


def wait_unread(gate: Gate, change: Change) -> Gate:
    """Not ready; what was read before is neither confirmed nor cleared."""
    return replace(gate, phase=Phase.WAITING, reason=change.reason, good_since=None)


def await_confirmation(gate: Gate, change: Change) -> Gate:
    """Not ready; the reason changes only when a second poll in a row agrees."""
    unconfirmed = _count(gate, change)
    if max(unconfirmed.values(), default=0) >= INCONSISTENT_CONFIRMATIONS:
        return replace(wait(gate, change), unconfirmed=unconfirmed)
    return replace(gate, unconfirmed=unconfirmed, good_since=None)


def open_when_settled(gate: Gate, change: Change) -> Gate:
    """Opens once the schema has been good for `settle`."""
    good_since = change.at if gate.good_since is None else gate.good_since
    if change.at - good_since >= change.policy.settle:
        return _enter(gate, Phase.OPEN, change.reason)
    return replace(gate, good_since=good_since, unconfirmed={})


def keep_open(gate: Gate, change: Change) -> Gate:
    """Ready; nothing unconfirmed remains."""
    migrating = change.input is Input.MIGRATING
    return _enter(gate, Phase.OPEN, gate.reason if migrating else change.reason)


def close_when_confirmed(gate: Gate, change: Change) -> Gate:
    """Closes when enough polls in a row agree, unless the policy is to hold; holds until then."""
    unconfirmed, needed = _count(gate, change), REGRESSION_CONFIRMATIONS
    if change.input is Input.INCONSISTENT:
        needed = max(needed, INCONSISTENT_CONFIRMATIONS)
    closes = change.policy.close_on_regression or change.input in {Input.AHEAD, Input.PRUNED}
    if closes and max(unconfirmed.values(), default=0) >= needed:
        return _enter(gate, Phase.CLOSED, change.reason)
    held = _enter(gate, Phase.HOLDING, gate.reason, holding=change.reason)
    # An outage of one database goes on while another one is behind.
    failing_since = gate.failing_since if change.outage else None
    return replace(held, unconfirmed=unconfirmed, failing_since=failing_since)


def hold_pruned(gate: Gate, change: Change) -> Gate:
    """Holds, with a warning; with `on_pruned=close` it is a regression like any other."""
    if change.policy.on_pruned == "close":
        return close_when_confirmed(gate, change)
    return _enter(gate, Phase.HOLDING, gate.reason, holding=change.reason)


def hold_outage(gate: Gate, change: Change) -> Gate:
    """Holds; with `close_after_outage`, until reads have failed for that long."""
    failing_since = change.at if gate.failing_since is None else gate.failing_since
    held = replace(gate, phase=Phase.HOLDING, holding=change.reason, failing_since=failing_since)
    return close_after_outage(held, change)


def close_after_outage(gate: Gate, change: Change) -> Gate:
    """Closes when the outage has lasted as long as `close_after_outage` allows."""
    end = next_change_at(gate, change.policy)
    if end is None or change.at < end or gate.holding is None:
        return gate
    return _enter(gate, Phase.CLOSED, gate.holding)


def next_change_at(gate: Gate, policy: Policy) -> float | None:
    """Return when the passing of time alone changes the gate, if ever."""
    if gate.phase is Phase.HOLDING and policy.close_after_outage is not None:
        since = gate.failing_since
        return None if since is None else since + policy.close_after_outage
    return None


def _enter(gate: Gate, phase: Phase, reason: Reason, holding: Reason | None = None) -> Gate:
    """Enter a phase with nothing unconfirmed and no good or failing streak."""
    return Gate(
        phase=phase, reason=reason, holding=holding, since=gate.since, opened_at=gate.opened_at
    )


def _count(gate: Gate, change: Change) -> dict[str, int]:
    """Count this poll; only polls of one database confirm each other."""
    if change.repeated:
        return gate.unconfirmed
    count = gate.unconfirmed.get(change.database, 0) + 1
    return {**gate.unconfirmed, change.database: count}
