"""The gate: every cell of its table, and what its rules mean over several polls."""

from collections.abc import Sequence

import pytest

from sidecar.core.gate.machine import TABLE, initial_gate, step
from sidecar.core.gate.rules import Input, next_change_at
from sidecar.core.gate.state import Drain, Event, Gate, Phase, Policy, PollResult, Tick
from sidecar.core.migrations.compare import Outcome
from sidecar.core.reason import Reason

AT = 100.0

EVENTS: dict[Input, Event] = {
    Input.GOOD: PollResult(at=AT, outcome=Outcome.CURRENT),
    Input.MIGRATING: PollResult(at=AT, outcome=Outcome.CURRENT, migrating=True),
    Input.AHEAD: PollResult(at=AT, outcome=Outcome.AHEAD),
    Input.PRUNED: PollResult(at=AT, outcome=Outcome.BEHIND, pruned=True),
    Input.BEHIND: PollResult(at=AT, outcome=Outcome.BEHIND),
    Input.INCONSISTENT: PollResult(at=AT, outcome=Outcome.INCONSISTENT),
    Input.READ_FAILED: PollResult(at=AT, failure=Reason.DATABASE_TIMEOUT),
    Input.TIME_PASSED: Tick(AT),
    Input.DRAIN: Drain(AT),
}

GATES = {
    Phase.STARTING: Gate(since=0.0),
    Phase.WAITING: Gate(since=0.0, phase=Phase.WAITING, reason=Reason.SCHEMA_BEHIND),
    Phase.OPEN: Gate(since=0.0, phase=Phase.OPEN, reason=Reason.SCHEMA_CURRENT, opened_at=0.0),
    Phase.HOLDING: Gate(
        since=0.0,
        phase=Phase.HOLDING,
        reason=Reason.SCHEMA_CURRENT,
        holding=Reason.DATABASE_UNREACHABLE,
        opened_at=0.0,
        failing_since=0.0,
    ),
    Phase.CLOSED: Gate(since=0.0, phase=Phase.CLOSED, reason=Reason.SCHEMA_BEHIND, opened_at=0.0),
    Phase.DRAINING: Gate(since=0.0, phase=Phase.DRAINING, reason=Reason.DRAINING),
}

# For each phase, the gate after each input, in the order of Input: phase and reason, and after
# a "!" what it is held open against. Ahead is an input of its own under on_ahead=not_ready.
EXPECTED = {
    Phase.STARTING: (
        *("open schema_current", "waiting migrate_running", "waiting schema_ahead"),
        *("waiting schema_behind", "waiting schema_behind", "starting starting"),
        *("waiting database_timeout", "starting starting", "draining draining"),
    ),
    Phase.WAITING: (
        *("open schema_current", "waiting migrate_running", "waiting schema_ahead"),
        *("waiting schema_behind", "waiting schema_behind", "waiting schema_behind"),
        *("waiting database_timeout", "waiting schema_behind", "draining draining"),
    ),
    Phase.OPEN: (
        *("open schema_current", "open schema_current", "holding schema_current!schema_ahead"),
        *("holding schema_current!schema_behind", "holding schema_current!schema_behind"),
        *("holding schema_current!history_inconsistent",),
        *("holding schema_current!database_timeout", "open schema_current", "draining draining"),
    ),
    Phase.HOLDING: (
        *("open schema_current", "open schema_current", "holding schema_current!schema_ahead"),
        *("holding schema_current!schema_behind", "holding schema_current!schema_behind"),
        *("holding schema_current!history_inconsistent",),
        "holding schema_current!database_timeout",
        *("holding schema_current!database_unreachable", "draining draining"),
    ),
    Phase.CLOSED: (
        *("open schema_current", "closed migrate_running", "closed schema_ahead"),
        *("closed schema_behind", "closed schema_behind", "closed schema_behind"),
        *("closed schema_behind", "closed schema_behind", "draining draining"),
    ),
    Phase.DRAINING: ("draining draining",) * 9,
}


def describe(gate: Gate) -> str:
    return f"{gate.phase} {gate.reason}" + (f"!{gate.holding}" if gate.holding else "")


def play(gate: Gate, policy: Policy, *polls: Outcome | Reason, every: float = 1.0) -> list[str]:
    """Return what the gate is after each of these polls."""
    found = []
    at = gate.since
    for poll in polls:
        at += every
        outcome = poll if isinstance(poll, Outcome) else None
        failure = poll if isinstance(poll, Reason) else None
        gate = step(gate, PollResult(at=at, outcome=outcome, failure=failure), policy)
        found.append(describe(gate))
    return found


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("input_", Input)
def test_every_cell_of_the_table(phase: Phase, input_: Input) -> None:
    """Each input changes each gate as written here, and stamps the change with its time."""
    before = GATES[phase]
    after = step(before, EVENTS[input_], Policy(on_ahead_ready=False))
    assert describe(after) == EXPECTED[phase][list(Input).index(input_)]
    assert after.since == (AT if describe(after) != describe(before) else 0.0)
    assert after.ready is (after.phase in {Phase.OPEN, Phase.HOLDING})


def test_the_table_has_a_cell_for_every_pair() -> None:
    """No event can meet a phase that has no rule for it."""
    assert {phase: set(rules) for phase, rules in TABLE.items()} == {
        phase: set(Input) for phase in Phase
    }


def test_the_first_opening_is_remembered() -> None:
    """`opened_at` is the first opening, and later ones do not move it."""
    gate = step(initial_gate(0.0), PollResult(at=5.0, outcome=Outcome.CURRENT), Policy())
    assert gate.opened_at == 5.0
    for outcome in (Outcome.BEHIND, Outcome.BEHIND, Outcome.CURRENT):
        gate = step(gate, PollResult(at=9.0, outcome=outcome), Policy())
    assert (gate.phase, gate.opened_at) == (Phase.OPEN, 5.0)


def test_ahead_is_ready_by_default() -> None:
    """In a rolling deploy or a rollback the old pods stay open."""
    assert play(initial_gate(0.0), Policy(), Outcome.AHEAD) == ["open schema_ahead"]


@pytest.mark.parametrize(
    ("policy", "polls", "last"),
    [
        (Policy(), (Outcome.BEHIND,), "holding schema_current!schema_behind"),
        (Policy(), (Outcome.BEHIND,) * 2, "closed schema_behind"),
        (Policy(), (Outcome.INCONSISTENT,), "holding schema_current!history_inconsistent"),
        (Policy(), (Outcome.INCONSISTENT,) * 2, "closed history_inconsistent"),
        (Policy(close_on_regression=False), (Outcome.BEHIND,) * 9,
         "holding schema_current!schema_behind"),
        (Policy(on_ahead_ready=False, close_on_regression=False), (Outcome.AHEAD,) * 2,
         "closed schema_ahead"),
        (Policy(), (Outcome.BEHIND, Reason.DATABASE_DENIED, Outcome.BEHIND),
         "closed schema_behind"),
        (Policy(), (Outcome.BEHIND, Reason.DATABASE_DENIED),
         "holding schema_current!database_denied"),
        (Policy(), (Outcome.BEHIND, Outcome.CURRENT, Outcome.BEHIND),
         "holding schema_current!schema_behind"),
        (Policy(), (Reason.DATABASE_TIMEOUT,) * 99, "holding schema_current!database_timeout"),
    ],
)  # fmt: skip
def test_an_open_gate_closes_only_on_a_confirmed_regression(
    policy: Policy, polls: Sequence[Outcome | Reason], last: str
) -> None:
    """Two polls in a row close it; a failed one neither counts nor clears, a good one clears."""
    assert play(GATES[Phase.OPEN], policy, *polls)[-1] == last


def test_inconsistent_is_believed_only_after_a_second_poll() -> None:
    """Half a squash between two commits of migrate is no news, before opening or after closing."""
    twice = (Outcome.INCONSISTENT, Outcome.INCONSISTENT)
    assert play(initial_gate(0.0), Policy(), *twice) == [
        "starting starting",
        "waiting history_inconsistent",
    ]
    assert play(GATES[Phase.CLOSED], Policy(), *twice) == [
        "closed schema_behind",
        "closed history_inconsistent",
    ]


def test_a_failed_read_clears_nothing_unconfirmed() -> None:
    """Two inconsistent polls with a failed one between them are believed."""
    polls = (Outcome.INCONSISTENT, Reason.DATABASE_TIMEOUT, Outcome.INCONSISTENT)
    assert play(initial_gate(0.0), Policy(), *polls)[-1] == "waiting history_inconsistent"


def test_an_outage_closes_only_by_policy_and_only_after_its_time() -> None:
    """Reads must have failed for close_after_outage; one that succeeds starts anew."""
    policy = Policy(close_after_outage=10.0)
    down = Reason.DATABASE_UNREACHABLE
    gate = step(GATES[Phase.OPEN], PollResult(at=1.0, failure=down), policy)
    assert next_change_at(gate, policy) == 11.0
    assert step(gate, Tick(10.9), policy).phase is Phase.HOLDING
    assert describe(step(gate, Tick(11.0), policy)) == "closed database_unreachable"
    assert step(gate, PollResult(at=12.0, failure=down), policy).phase is Phase.CLOSED
    better = step(gate, PollResult(at=9.0, outcome=Outcome.CURRENT), policy)
    assert next_change_at(better, policy) is None
    behind = step(better, PollResult(at=12.0, outcome=Outcome.BEHIND), policy)
    assert next_change_at(behind, policy) is None
    at_once = Policy(close_after_outage=0.0)
    assert play(GATES[Phase.OPEN], at_once, down) == ["closed database_unreachable"]


def test_settle_delays_opening_until_the_schema_was_good_for_that_long() -> None:
    """Handlers of plain migrate may run on; a poll that is not good starts the time anew."""
    policy = Policy(settle=2.0)
    good, down = Outcome.CURRENT, Reason.DATABASE_TIMEOUT
    new = initial_gate(0.0)
    assert play(new, policy, good, good, good)[-1] == "open schema_current"
    assert play(new, policy, good, good)[-1] == "starting starting"
    assert play(new, policy, good, good, down, good, good)[-1] == "waiting database_timeout"
    assert play(new, policy, good, Outcome.INCONSISTENT, good, good)[-1] == "starting starting"
    assert play(GATES[Phase.CLOSED], policy, good)[-1] == "closed schema_behind"


@pytest.mark.parametrize(
    ("policy", "phase", "last"),
    [
        (Policy(), Phase.STARTING, "waiting schema_behind"),
        (Policy(), Phase.OPEN, "holding schema_current!schema_behind"),
        (Policy(on_pruned="close"), Phase.OPEN, "closed schema_behind"),
        (Policy(on_pruned="accept"), Phase.STARTING, "open schema_ahead"),
        (Policy(on_pruned="accept"), Phase.OPEN, "open schema_ahead"),
    ],
)
def test_a_pruned_squash_holds_an_open_gate_and_opens_none(
    policy: Policy, phase: Phase, last: str
) -> None:
    """A newer release that prunes must not close older pods; on_pruned=accept opens new ones."""
    gate = GATES[phase]
    for at in (1.0, 2.0, 3.0):
        gate = step(gate, PollResult(at=at, outcome=Outcome.BEHIND, pruned=True), policy)
    assert describe(gate) == last


def test_a_gate_that_was_open_starts_open_and_holds_through_an_outage() -> None:
    """A sidecar restarted during an outage does not take its pod out; a regression still does."""
    gate = initial_gate(0.0, was_open=True)
    assert describe(gate) == "holding schema_current!starting"
    down = Reason.DATABASE_UNREACHABLE
    assert play(gate, Policy(), down)[-1] == "holding schema_current!database_unreachable"
    assert play(gate, Policy(), Outcome.BEHIND, Outcome.BEHIND)[-1] == "closed schema_behind"


def test_a_gate_is_no_truth_value() -> None:
    """`if gate:` cannot be written: open and holding are two things."""
    with pytest.raises(TypeError):
        bool(initial_gate(0.0))


def test_a_poll_of_another_database_confirms_nothing() -> None:
    """Two polls of one database in a row confirm; polls of others in between do not count."""
    policy = Policy()
    gate = step(initial_gate(0.0), PollResult(at=0.0, outcome=Outcome.CURRENT), policy)
    gate = step(gate, PollResult(at=1.0, outcome=Outcome.BEHIND), policy)
    for at in range(2, 9):
        gate = step(gate, PollResult(at=at, outcome=Outcome.BEHIND, repeated=True), policy)
    assert (gate.phase, gate.unconfirmed) == (Phase.HOLDING, {"": 1})
    assert step(gate, PollResult(at=9.0, outcome=Outcome.BEHIND), policy).phase is Phase.CLOSED
    closed = step(initial_gate(0.0), PollResult(at=0.0, outcome=Outcome.INCONSISTENT), policy)
    again = step(closed, PollResult(at=1.0, outcome=Outcome.INCONSISTENT, repeated=True), policy)
    assert again.unconfirmed == {"": 1}
