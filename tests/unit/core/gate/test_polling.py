"""The rhythm of looks."""

from sidecar.core.gate.polling import Cadence, advance, jittered
from sidecar.core.gate.state import Gate, Phase
from sidecar.core.reason import Reason

WAITING = Gate(since=0.0, phase=Phase.WAITING, reason=Reason.SCHEMA_BEHIND)
OPEN = Gate(since=0.0, phase=Phase.OPEN, reason=Reason.SCHEMA_CURRENT)
CONFIRMING = Gate(
    since=0.0, phase=Phase.HOLDING, reason=Reason.SCHEMA_CURRENT, doubts={"default": 1}
)
HOLDING = Gate(since=0.0, phase=Phase.HOLDING, reason=Reason.SCHEMA_CURRENT)


def rhythm(gate: Gate, looks: int, *, start: float = 0.0, failed: bool = False) -> list[float]:
    """Return the pauses after so many looks without progress."""
    cadence, at, pauses = Cadence(progress_at=0.0), start, []
    for _ in range(looks):
        cadence = advance(
            cadence, gate, at=at + 0.01, failed=failed, progressed=False, running=False, steady=30.0
        )
        pauses.append(round(cadence.pause, 3))
        at += cadence.pause
    return pauses


def test_waiting_looks_often_and_slows_down() -> None:
    """From 250 ms by half as much again up to 2 s."""
    assert rhythm(WAITING, 7) == [0.25, 0.375, 0.562, 0.844, 1.266, 1.898, 2.0]


def test_waiting_long_without_progress_looks_every_five_seconds() -> None:
    """After a minute in which no row changed there is no hurry."""
    assert rhythm(WAITING, 10, start=61.0)[-1] == 5.0


def test_progress_makes_it_eager_again() -> None:
    """A new row means that more, or the last, may follow at any moment."""
    slow = Cadence(progress_at=0.0, pause=5.0)
    assert advance(
        slow, WAITING, at=90.0, failed=False, progressed=True, running=False, steady=30.0
    ) == Cadence(progress_at=90.0, pause=0.25)


def test_an_open_gate_looks_seldom_and_a_doubtful_one_soon() -> None:
    """Every `interval` when open; after 1 s to confirm a regression; else as when waiting."""
    assert rhythm(OPEN, 2) == [30.0, 30.0]
    assert rhythm(CONFIRMING, 2) == [1.0, 1.0]
    assert rhythm(HOLDING, 2) == [0.25, 0.375]


def test_failures_back_off_to_fifteen_seconds_and_forget_at_once() -> None:
    """Ever slower while looks fail, by doubling; eager after the first that succeeds."""
    assert rhythm(OPEN, 9, failed=True) == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0]
    after = Cadence(progress_at=0.0, pause=15.0, failures=9)
    assert (
        advance(
            after, WAITING, at=5.0, failed=False, progressed=False, running=False, steady=30.0
        ).pause
        == 0.25
    )


def test_backoff_survives_years_of_failures() -> None:
    """However often a look has failed, the next pause is a number of seconds."""
    ancient = Cadence(progress_at=0.0, failures=32)
    assert (
        advance(
            ancient, OPEN, at=1.0, failed=True, progressed=False, running=False, steady=30.0
        ).pause
        == 15.0
    )


def test_jitter_only_shortens() -> None:
    """By at most a fifth, so that no promise is overrun."""
    assert jittered(10.0, 0.0) == 10.0
    assert jittered(10.0, 0.999999) > 8.0


def test_a_run_keeps_a_shut_gate_patient_however_long_it_takes() -> None:
    """A migration of ten minutes may end at any moment, and traffic waits for it."""
    slow = Cadence(progress_at=0.0, pause=2.0)
    running = advance(
        slow, WAITING, at=600.0, failed=False, progressed=False, running=True, steady=30.0
    )
    assert running.pause == 2.0


def test_the_end_of_a_run_is_looked_for_eagerly() -> None:
    """When all rows are there, only the handlers after the last one are waited for."""
    gate = Gate(since=0.0, phase=Phase.WAITING, reason=Reason.MIGRATE_RUNNING)
    slow = Cadence(progress_at=0.0, pause=2.0)
    pauses = [
        advance(slow, gate, at=at, failed=False, progressed=False, running=True, steady=30.0).pause
        for at in (10.0, 90.0)
    ]
    assert pauses == [0.25, 2.0]


def test_a_slow_look_is_followed_by_a_longer_pause() -> None:
    """Thousands of schemas take their time to read, and the server has others to serve."""
    fast, slow, very_slow = (
        advance(
            Cadence(progress_at=0.0), WAITING,
            at=1.0, failed=False, progressed=True, running=False, steady=30.0, took=took,
        ).pause
        for took in (0.003, 0.5, 10.0)
    )  # fmt: skip
    assert (fast, slow, very_slow) == (0.25, 2.0, 5.0)
