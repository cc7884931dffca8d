"""The schedule of polls."""

from sidecar.core.gate.polling import Poll, Schedule, add_jitter, next_schedule
from sidecar.core.gate.state import Gate, Phase
from sidecar.core.reason import Reason

WAITING = Gate(since=0.0, phase=Phase.WAITING, reason=Reason.SCHEMA_BEHIND)
OPEN = Gate(since=0.0, phase=Phase.OPEN, reason=Reason.SCHEMA_CURRENT)
CONFIRMING = Gate(
    since=0.0, phase=Phase.HOLDING, reason=Reason.SCHEMA_CURRENT, unconfirmed={"default": 1}
)
HOLDING = Gate(since=0.0, phase=Phase.HOLDING, reason=Reason.SCHEMA_CURRENT)


OPEN_INTERVAL = 30.0


def pauses(gate: Gate, polls: int, *, start: float = 0.0, failed: bool = False) -> list[float]:
    """Return the pauses after so many polls without progress."""
    schedule, at, found = Schedule(progress_at=0.0), start, []
    for _ in range(polls):
        schedule = next_schedule(schedule, gate, Poll(at=at + 0.01, failed=failed), OPEN_INTERVAL)
        found.append(round(schedule.pause, 3))
        at += schedule.pause
    return found


def test_waiting_polls_often_and_slows_down() -> None:
    """From 250 ms by half as much again up to 2 s."""
    assert pauses(WAITING, 7) == [0.25, 0.375, 0.562, 0.844, 1.266, 1.898, 2.0]


def test_waiting_long_without_progress_polls_every_five_seconds() -> None:
    """After a minute in which no row changed the next one may take its time."""
    assert pauses(WAITING, 10, start=61.0)[-1] == 5.0


def test_progress_shortens_the_pause() -> None:
    """A new row means that more, or the last, may follow at any moment."""
    slow = Schedule(progress_at=0.0, pause=5.0)
    poll = Poll(at=90.0, failed=False, progressed=True)
    assert next_schedule(slow, WAITING, poll, OPEN_INTERVAL) == Schedule(90.0, 0.25)


def test_an_open_gate_polls_seldom_and_confirms_soon() -> None:
    """Every `interval` when open; after 1 s to confirm a regression; else as when waiting."""
    assert pauses(OPEN, 2) == [30.0, 30.0]
    assert pauses(CONFIRMING, 2) == [1.0, 1.0]
    assert pauses(HOLDING, 2) == [0.25, 0.375]


def test_failures_back_off_to_fifteen_seconds_and_forget_at_once() -> None:
    """Ever slower while reads fail, by doubling; at once after the first that succeeds."""
    assert pauses(OPEN, 9, failed=True) == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0]
    after = Schedule(progress_at=0.0, pause=15.0, failures=9)
    assert next_schedule(after, WAITING, Poll(at=5.0, failed=False), OPEN_INTERVAL).pause == 0.25


def test_backoff_survives_years_of_failures() -> None:
    """However often a read has failed, the next pause is a number of seconds."""
    ancient = Schedule(progress_at=0.0, failures=32)
    assert next_schedule(ancient, OPEN, Poll(at=1.0, failed=True), OPEN_INTERVAL).pause == 15.0


def test_jitter_only_shortens() -> None:
    """By at most a fifth, so that no deadline is missed."""
    assert add_jitter(10.0, 0.0) == 10.0
    assert add_jitter(10.0, 0.999999) > 8.0


def test_a_migrate_run_keeps_a_closed_gate_polling_however_long_it_takes() -> None:
    """A migration of ten minutes may end at any moment, and traffic waits for it."""
    slow = Schedule(progress_at=0.0, pause=2.0)
    poll = Poll(at=600.0, failed=False, migrating=True)
    assert next_schedule(slow, WAITING, poll, OPEN_INTERVAL).pause == 2.0


def test_the_end_of_a_migrate_run_is_polled_for_often() -> None:
    """When all rows are there, only the handlers after the last one are waited for."""
    gate = Gate(since=0.0, phase=Phase.WAITING, reason=Reason.MIGRATE_RUNNING)
    slow = Schedule(progress_at=0.0, pause=2.0)
    polls = [Poll(at=at, failed=False, migrating=True) for at in (10.0, 90.0)]
    found = [next_schedule(slow, gate, poll, OPEN_INTERVAL).pause for poll in polls]
    assert found == [0.25, 2.0]


def test_a_slow_read_is_followed_by_a_longer_pause() -> None:
    """Thousands of schemas take their time to read, and the server has others to serve."""
    polls = [
        Poll(at=1.0, failed=False, progressed=True, duration=duration)
        for duration in (0.003, 0.5, 10.0)
    ]
    new = Schedule(progress_at=0.0)
    found = [next_schedule(new, WAITING, poll, OPEN_INTERVAL).pause for poll in polls]
    assert found == [0.25, 2.0, 5.0]
