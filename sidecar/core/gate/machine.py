"""The gate: whether traffic may arrive, as a state machine over what was read.

The rules, in words:

- A gate that never opened stays closed until the schema is current (or ahead, where that
  counts as ready), no `sidecar migrate` is under way, and that has been so for `settle`.
- An open gate does not close because it cannot read: a failed read holds it open. With
  `close_after_outage` it closes once reads have failed for that long.
- An open gate closes on a regression (behind, inconsistent, or ahead where that is not
  ready), but only when two polls in a row agree; until then, and for ever with
  `on_regression=hold`, it holds.
- Inconsistent is believed only when two polls in a row agree, in every phase: a migrate run
  can show half a squash between two commits.
- A failed read neither confirms nor clears a regression, and neither does a poll of another
  database.
- A pruned squash (its row exists, those of its originals are gone) holds an open gate and
  never opens a closed one, unless `on_pruned` is `close` or `accept`.
- Draining is final.

`TABLE` has the rule for each phase and input.
"""

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from sidecar.core.gate.rules import (
    Change,
    Input,
    Rule,
    await_confirmation,
    close_after_outage,
    close_when_confirmed,
    drain,
    hold_outage,
    hold_pruned,
    ignore,
    keep_open,
    open_when_settled,
    wait,
    wait_unread,
)
from sidecar.core.gate.state import Drain, Event, Gate, Phase, Policy, PollResult, Tick
from sidecar.core.migrations.compare import Outcome
from sidecar.core.reason import Reason

TABLE: Final[Mapping[Phase, Mapping[Input, Rule]]] = {
    Phase.STARTING: {
        Input.GOOD: open_when_settled,
        Input.MIGRATING: wait,
        Input.AHEAD: wait,
        Input.PRUNED: wait,
        Input.BEHIND: wait,
        Input.INCONSISTENT: await_confirmation,
        Input.READ_FAILED: wait_unread,
        Input.TIME_PASSED: ignore,
        Input.DRAIN: drain,
    },
    Phase.WAITING: {
        Input.GOOD: open_when_settled,
        Input.MIGRATING: wait,
        Input.AHEAD: wait,
        Input.PRUNED: wait,
        Input.BEHIND: wait,
        Input.INCONSISTENT: await_confirmation,
        Input.READ_FAILED: wait_unread,
        Input.TIME_PASSED: ignore,
        Input.DRAIN: drain,
    },
    Phase.OPEN: {
        Input.GOOD: keep_open,
        Input.MIGRATING: keep_open,
        Input.AHEAD: close_when_confirmed,
        Input.PRUNED: hold_pruned,
        Input.BEHIND: close_when_confirmed,
        Input.INCONSISTENT: close_when_confirmed,
        Input.READ_FAILED: hold_outage,
        Input.TIME_PASSED: ignore,
        Input.DRAIN: drain,
    },
    Phase.HOLDING: {
        Input.GOOD: keep_open,
        Input.MIGRATING: keep_open,
        Input.AHEAD: close_when_confirmed,
        Input.PRUNED: hold_pruned,
        Input.BEHIND: close_when_confirmed,
        Input.INCONSISTENT: close_when_confirmed,
        Input.READ_FAILED: hold_outage,
        Input.TIME_PASSED: close_after_outage,
        Input.DRAIN: drain,
    },
    Phase.CLOSED: {
        Input.GOOD: open_when_settled,
        Input.MIGRATING: wait,
        Input.AHEAD: wait,
        Input.PRUNED: wait,
        Input.BEHIND: wait,
        Input.INCONSISTENT: await_confirmation,
        Input.READ_FAILED: ignore,
        Input.TIME_PASSED: ignore,
        Input.DRAIN: drain,
    },
    Phase.DRAINING: dict.fromkeys(Input, ignore),
}


def initial_gate(at: float, *, was_open: bool = False) -> Gate:
    """Return the gate of a process that starts; `was_open`: it was open before a restart."""
    if not was_open:
        return Gate(since=at)
    return Gate(
        phase=Phase.HOLDING,
        reason=Reason.SCHEMA_CURRENT,
        holding=Reason.STARTING,
        since=at,
        opened_at=at,
    )


def step(gate: Gate, event: Event, policy: Policy) -> Gate:
    """Return the gate after this event."""
    change, before = _interpret(event, policy), gate
    if isinstance(event, PollResult) and event.cleared:
        others = {name: n for name, n in gate.unconfirmed.items() if name != event.database}
        before = replace(gate, unconfirmed=others)
    after = TABLE[gate.phase][change.input](before, change)
    if (after.phase, after.reason, after.holding) != (gate.phase, gate.reason, gate.holding):
        after = replace(after, since=event.at)
    if after.phase is Phase.OPEN and after.opened_at is None:
        after = replace(after, opened_at=event.at)
    return after


def _interpret(event: Event, policy: Policy) -> Change:
    meant, reason = _classify(event, policy)
    if not isinstance(event, PollResult):
        return Change(input=meant, reason=reason, at=event.at, policy=policy)
    return Change(
        input=meant,
        reason=reason,
        at=event.at,
        policy=policy,
        database=event.database,
        repeated=event.repeated,
        outage=event.outage,
    )


def _classify(event: Event, policy: Policy) -> tuple[Input, Reason]:
    match event:
        case Tick():
            return Input.TIME_PASSED, Reason.STARTING
        case Drain():
            return Input.DRAIN, Reason.DRAINING
        case PollResult(failure=Reason() as failure):
            return Input.READ_FAILED, failure
        case PollResult(outcome=Outcome.INCONSISTENT):
            return Input.INCONSISTENT, Reason.HISTORY_INCONSISTENT
        case PollResult(outcome=Outcome.BEHIND, pruned=True) if policy.on_pruned == "accept":
            return Input.GOOD, Reason.SCHEMA_AHEAD
        case PollResult(outcome=Outcome.BEHIND, pruned=True):
            return Input.PRUNED, Reason.SCHEMA_BEHIND
        case PollResult(outcome=Outcome.BEHIND):
            return Input.BEHIND, Reason.SCHEMA_BEHIND
        case PollResult(outcome=Outcome.AHEAD) if not policy.on_ahead_ready:
            return Input.AHEAD, Reason.SCHEMA_AHEAD
        case PollResult(migrating=True):
            return Input.MIGRATING, Reason.MIGRATE_RUNNING
        case PollResult(outcome=Outcome.AHEAD):
            return Input.GOOD, Reason.SCHEMA_AHEAD
        case _:
            return Input.GOOD, Reason.SCHEMA_CURRENT
