"""A small race for every run of the tests; `make race` has twenty replicas."""

from pathlib import Path

import pytest

from race.run import meets_promises
from race.scenarios import SCENARIOS, play


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_replicas_that_start_together(scenario: str, tmp_path: Path) -> None:
    """Whatever happens, every replica is ready in the end, and none before the handlers ended."""
    row = play(scenario, tmp_path, replicas=6)
    assert meets_promises(row), row
