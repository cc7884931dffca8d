"""What is done about an output that fails."""

from collections import Counter

import pytest

from sidecar.outputs.failures import OutputFailures


def fail(failures: OutputFailures, output: str, text: str) -> None:
    """Report an error that was raised here."""
    try:
        raise ValueError(text)
    except ValueError as error:
        failures.report(output, error)


def test_every_failure_is_counted_and_each_kind_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Announcements and requests come by the thousand; one line has the error and its place."""
    counted = Counter[str]()
    failures = OutputFailures(lambda output: counted.update([output]))
    for number in range(100):
        fail(failures, "log", f"error {number}")
    fail(failures, "status", "another")
    assert counted == {"log": 100, "status": 1}
    first, second = (record.getMessage() for record in caplog.records)
    place = "ValueError at test_failures.py:13"
    assert first == f"output log failed, the others go on: {place}: error 0"
    assert second == f"output status failed, the others go on: {place}: another"
    assert not any(record.exc_info for record in caplog.records)
