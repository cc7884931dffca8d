"""What other sessions wrote."""

import pytest

from sidecar.core.migrations.recorded import parse_time


@pytest.mark.parametrize(
    "text",
    ["", "nan", "inf", "-1", "+1", "1e300", "1e3", "1_0", " 1", "1\n", "٣", "0x1", "1.", "9" * 12,
     "9" * 5000, "253402300800"],
)  # fmt: skip
def test_a_time_that_no_calendar_has_is_none(text: str) -> None:
    """Any session of the database can call itself anything."""
    assert parse_time(text) is None


def test_a_time_is_in_seconds() -> None:
    """As `sidecar migrate` writes it, up to the end of the last year."""
    assert [parse_time("1700000000.123"), parse_time("253402300799.9")] == [
        1_700_000_000.123,
        253_402_300_799.9,
    ]
