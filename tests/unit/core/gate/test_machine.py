"""The gate: every cell of its table, and the stories that its rules tell."""

from collections.abc import Sequence

import pytest

from sidecar.core.gate.machine import TABLE, begin, due, step
from sidecar.core.gate.state import Drain, Event, Gate, Look, Phase, Policy, Signal, Tick
from sidecar.core.migrations.compare import Outcome
from sidecar.core.reason import Reason

AT = 100.0

EVENTS: dict[Signal, Event] = {
    Signal.GOOD: Look(at=AT, outcome=Outcome.CURRENT),
    Signal.MIGRATING: Look(at=AT, outcome=Outcome.CURRENT, migrating=True),
    Signal.AHEAD: Look(at=AT, outcome=Outcome.AHEAD),
    Signal.PRUNED: Look(at=AT, outcome=Outcome.BEHIND, pruned=True),
    Signal.BEHIND: Look(at=AT, outcome=Outcome.BEHIND),
    Signal.INCONSISTENT: Look(at=AT, outcome=Outcome.INCONSISTENT),
    Signal.FAILED: Look(at=AT, failure=Reason.DATABASE_TIMEOUT),
    Signal.TIME: Tick(AT),
    Signal.DRAIN: Drain(AT),
}

STATES = {
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

# For each phase, what each signal makes of it, in the order of Signal: phase and reason, and
# behind a "!" what holds the gate open. ahead is a signal of its own under on_ahead=not_ready.
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


def told(gate: Gate) -> str:
    return f"{gate.phase} {gate.reason}" + (f"!{gate.holding}" if gate.holding else "")


def play(gate: Gate, policy: Policy, *looks: Outcome | Reason, every: float = 1.0) -> list[str]:
    """Return what the gate is after each of these looks."""
    found = []
    at = gate.since
    for seen in looks:
        at += every
        look = Look(at=at, outcome=seen) if isinstance(seen, Outcome) else Look(at=at, failure=seen)
        gate = step(gate, look, policy)
        found.append(told(gate))
    return found


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("signal", Signal)
def test_every_cell_does_what_the_table_says(phase: Phase, signal: Signal) -> None:
    """Each signal moves each state as written here, and stamps the change with its time."""
    before = STATES[phase]
    after = step(before, EVENTS[signal], Policy(on_ahead_ready=False))
    assert told(after) == EXPECTED[phase][list(Signal).index(signal)]
    assert after.since == (AT if told(after) != told(before) else 0.0)
    assert after.ready is (after.phase in {Phase.OPEN, Phase.HOLDING})


def test_the_table_has_a_cell_for_every_pair() -> None:
    """No event can meet a state that has no rule for it."""
    assert set(TABLE) == {(phase, signal) for phase in Phase for signal in Signal}


def test_the_first_opening_is_remembered() -> None:
    """`opened_at` is the first opening, and later ones do not move it."""
    gate = step(begin(0.0), Look(at=5.0, outcome=Outcome.CURRENT), Policy())
    assert gate.opened_at == 5.0
    for outcome in (Outcome.BEHIND, Outcome.BEHIND, Outcome.CURRENT):
        gate = step(gate, Look(at=9.0, outcome=outcome), Policy())
    assert (gate.phase, gate.opened_at) == (Phase.OPEN, 5.0)


def test_ahead_is_ready_by_default() -> None:
    """In a rolling deploy or a rollback the old pods stay open."""
    assert play(begin(0.0), Policy(), Outcome.AHEAD) == ["open schema_ahead"]


@pytest.mark.parametrize(
    ("policy", "looks", "last"),
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
    policy: Policy, looks: Sequence[Outcome | Reason], last: str
) -> None:
    """Enough looks in a row close it; a failed one neither counts nor clears, a good one clears."""
    assert play(STATES[Phase.OPEN], policy, *looks)[-1] == last


def test_inconsistent_is_believed_only_after_a_second_look() -> None:
    """Half a squash between two commits of migrate is no news, before opening or after closing."""
    twice = (Outcome.INCONSISTENT, Outcome.INCONSISTENT)
    assert play(begin(0.0), Policy(), *twice) == [
        "starting starting",
        "waiting history_inconsistent",
    ]
    assert play(STATES[Phase.CLOSED], Policy(), *twice) == [
        "closed schema_behind",
        "closed history_inconsistent",
    ]


def test_a_failed_look_leaves_a_doubt_standing() -> None:
    """Two inconsistent looks with a failed one between them are believed."""
    looks = (Outcome.INCONSISTENT, Reason.DATABASE_TIMEOUT, Outcome.INCONSISTENT)
    assert play(begin(0.0), Policy(), *looks)[-1] == "waiting history_inconsistent"


def test_outage_closes_only_where_the_policy_says_so_and_only_after_its_time() -> None:
    """With close_after_outage reads must have failed for that long; one good look starts anew."""
    policy = Policy(close_after_outage=10.0)
    down = Reason.DATABASE_UNREACHABLE
    gate = step(STATES[Phase.OPEN], Look(at=1.0, failure=down), policy)
    assert due(gate, policy) == 11.0
    assert step(gate, Tick(10.9), policy).phase is Phase.HOLDING
    assert told(step(gate, Tick(11.0), policy)) == "closed database_unreachable"
    assert step(gate, Look(at=12.0, failure=down), policy).phase is Phase.CLOSED
    better = step(gate, Look(at=9.0, outcome=Outcome.CURRENT), policy)
    assert due(better, policy) is None
    assert due(step(better, Look(at=12.0, outcome=Outcome.BEHIND), policy), policy) is None
    at_once = Policy(close_after_outage=0.0)
    assert play(STATES[Phase.OPEN], at_once, down) == ["closed database_unreachable"]


def test_settle_delays_opening_until_the_schema_was_good_for_that_long() -> None:
    """Handlers of plain migrate may run on; a look that is not good starts the time anew."""
    policy = Policy(settle=2.0)
    good, down = Outcome.CURRENT, Reason.DATABASE_TIMEOUT
    assert play(begin(0.0), policy, good, good, good)[-1] == "open schema_current"
    assert play(begin(0.0), policy, good, good)[-1] == "starting starting"
    assert play(begin(0.0), policy, good, good, down, good, good)[-1] == "waiting database_timeout"
    assert (
        play(begin(0.0), policy, good, Outcome.INCONSISTENT, good, good)[-1] == "starting starting"
    )
    assert play(STATES[Phase.CLOSED], policy, good)[-1] == "closed schema_behind"


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
    gate = STATES[phase]
    for at in (1.0, 2.0, 3.0):
        gate = step(gate, Look(at=at, outcome=Outcome.BEHIND, pruned=True), policy)
    assert told(gate) == last


def test_a_remembered_gate_starts_open_and_holds_through_an_outage() -> None:
    """A sidecar restarted during an outage does not take its pod out; a regression still does."""
    gate = begin(0.0, remembered=True)
    assert told(gate) == "holding schema_current!starting"
    down = Reason.DATABASE_UNREACHABLE
    assert play(gate, Policy(), down)[-1] == "holding schema_current!database_unreachable"
    assert play(gate, Policy(), Outcome.BEHIND, Outcome.BEHIND)[-1] == "closed schema_behind"


def test_a_gate_is_no_truth_value() -> None:
    """`if gate:` cannot be written: open and holding are two things."""
    with pytest.raises(TypeError):
        bool(begin(0.0))


def test_a_look_at_another_database_confirms_nothing() -> None:
    """Two looks at one database in a row confirm; looks at others in between do not count."""
    policy = Policy()
    gate = step(begin(0.0), Look(at=0.0, outcome=Outcome.CURRENT), policy)
    gate = step(gate, Look(at=1.0, outcome=Outcome.BEHIND), policy)
    for at in range(2, 9):
        gate = step(gate, Look(at=at, outcome=Outcome.BEHIND, repeated=True), policy)
    assert (gate.phase, gate.doubts) == (Phase.HOLDING, {"": 1})
    assert step(gate, Look(at=9.0, outcome=Outcome.BEHIND), policy).phase is Phase.CLOSED
    shut = step(begin(0.0), Look(at=0.0, outcome=Outcome.INCONSISTENT), policy)
    again = step(shut, Look(at=1.0, outcome=Outcome.INCONSISTENT, repeated=True), policy)
    assert again.doubts == {"": 1}
