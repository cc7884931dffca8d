"""How values are written."""

import pytest

from sidecar.config import parse


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("250ms", 0.25), ("30s", 30.0), ("1.5m", 90.0), ("1h", 3600.0), ("0", 0.0), ("0s", 0.0)],
)
def test_a_duration_has_a_unit(text: str, seconds: float) -> None:
    """Zero is zero in any unit."""
    assert parse.duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("5000", "needs a unit: 5000ms, 5000s or 5000m"),
        ("0.5", "needs a unit: 0.5ms, 0.5s or 0.5m"),
        ("soon", "is no duration, such as 250ms, 30s, 5m or 1h"),
        ("-1s", "is no duration"),
        ("\u0663s", "is no duration"),
        ("1d", "is no duration"),
    ],
)
def test_a_duration_without_a_unit_is_refused(text: str, message: str) -> None:
    """PostgreSQL's own 5000 means milliseconds, others' 5000 seconds."""
    with pytest.raises(ValueError, match=message):
        parse.duration(text)


def test_never_is_no_duration() -> None:
    """`never` in any case, or a duration, which may be 0."""
    assert parse.never_or_duration("Never") is None
    assert parse.never_or_duration("0") == 0.0
    with pytest.raises(ValueError, match=r"needs a unit: 60ms, 60s or 60m, or never"):
        parse.never_or_duration("60")


@pytest.mark.parametrize("text", ["-1", "x", "\u0663", "1.5", ""])
def test_a_whole_number_is_one(text: str) -> None:
    """Digits of ASCII and nothing else."""
    with pytest.raises(ValueError, match="is no whole number from 0"):
        parse.whole(text)


def test_words_may_be_taken_in_any_case() -> None:
    """Where it is declared; elsewhere a word is itself."""
    assert parse.one_of("debug", "info", any_case=True).parse("DEBUG") == "debug"
    with pytest.raises(ValueError, match="is none of ready, not_ready"):
        parse.one_of("ready", "not_ready").parse("Ready")
