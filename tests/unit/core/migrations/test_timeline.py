"""How long migrations took, from the times at which they were recorded."""

from sidecar.core.migrations.manifest import Key
from sidecar.core.migrations.timeline import MAX_TIMELINE, Timeline, extend_timeline, start_timeline


def rows(*times: float, start: int = 1) -> list[tuple[Key, float]]:
    """Return rows recorded at these times."""
    return [(Key(f"shop.{start + place:04}"), at) for place, at in enumerate(times)]


def took(timeline: Timeline) -> list[float | None]:
    """Return how long each migration of a timeline took."""
    return [applied.took for applied in timeline.applied]


def test_what_was_there_before_was_not_seen() -> None:
    """Nobody knows which of the rows of a first read ran in one batch."""
    timeline = start_timeline(rows(1.0, 2.0))
    assert (took(timeline), timeline.observed, timeline.batch) == ([None, None], 0, None)


def test_gaps_between_rows_of_a_batch_are_durations() -> None:
    """Each is recorded when it has ended, so the gap to the one before is its time."""
    timeline = extend_timeline(start_timeline([]), rows(10.0, 11.5), complete=False)
    timeline = extend_timeline(timeline, rows(10.0, 11.5, 15.0), complete=True)
    assert took(timeline) == [None, 1.5, 3.5]
    assert timeline.observed == 3
    assert timeline.batch is not None
    assert (timeline.batch.began, timeline.batch.ended, timeline.batch.count) == (10.0, 15.0, 3)


def test_time_between_two_batches_is_nobody_s_duration() -> None:
    """What lies between the end of one deploy and the start of the next was not spent migrating."""
    first = extend_timeline(start_timeline([]), rows(10.0, 11.0), complete=True)
    second = extend_timeline(first, rows(10.0, 11.0, 5000.0), complete=True)
    assert took(second) == [None, 1.0, None]
    assert second.batch is not None
    assert second.batch.count == 1


def test_a_run_bounds_the_first_of_its_batch() -> None:
    """The start of a run of `sidecar migrate` is the earliest start of its first migration."""
    failed = extend_timeline(start_timeline([]), rows(10.0), complete=False)
    timeline = extend_timeline(failed, rows(10.0, 102.0, 103.0), complete=True, run_since=100.0)
    assert took(timeline) == [None, 2.0, 1.0]
    assert timeline.batch is not None
    assert timeline.batch.began == 100.0


def test_a_run_that_goes_on_keeps_its_batch() -> None:
    """A second read of the same run continues the batch that the first one began."""
    timeline = extend_timeline(start_timeline([]), rows(102.0), complete=False, run_since=100.0)
    timeline = extend_timeline(timeline, rows(102.0, 105.0), complete=True, run_since=100.0)
    assert took(timeline) == [2.0, 3.0]
    assert timeline.batch is not None
    assert (timeline.batch.began, timeline.batch.count) == (100.0, 2)


def test_rows_that_are_known_or_gone_change_nothing() -> None:
    """A rollback takes rows away, and takes no time that could be known."""
    timeline = extend_timeline(start_timeline([]), rows(10.0, 11.0), complete=True)
    assert extend_timeline(timeline, rows(10.0), complete=False) is timeline
    assert extend_timeline(timeline, [], complete=False) is timeline


def test_a_table_made_anew_is_a_new_history() -> None:
    """Rows of which none is known are all new, whatever was there before."""
    timeline = extend_timeline(start_timeline(rows(1.0)), rows(50.0, 51.0), complete=True)
    assert took(timeline) == [None, None, 1.0]


def test_clocks_that_disagree_give_no_negative_duration() -> None:
    """Two hosts may migrate alternately, each with a clock of its own."""
    timeline = extend_timeline(start_timeline([]), rows(11.0, 10.0), complete=True)
    assert took(timeline) == [None, 0.0]


def test_the_timeline_is_bounded() -> None:
    """A sidecar may watch for years."""
    timeline = start_timeline([])
    for at in range(MAX_TIMELINE + 100):
        timeline = extend_timeline(timeline, rows(float(at), start=at), complete=False)
    assert len(timeline.applied) == MAX_TIMELINE
    assert timeline.observed == MAX_TIMELINE + 100


def test_a_row_that_is_taken_back_and_recorded_again_is_known_by_both_its_times() -> None:
    """Deleting the newer of two rows of one migration brings back nothing new."""
    again = [(Key("shop.0001"), 1.0), (Key("shop.0002"), 2.0), (Key("shop.0002"), 2.5)]
    timeline = start_timeline(again)
    assert extend_timeline(timeline, again[:2], complete=True) == timeline
