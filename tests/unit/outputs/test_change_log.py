"""The log has a line for each change of the gate, and no other."""

import logging

import pytest

from factories import snapshot, status
from sidecar.core.gate.state import PollResult
from sidecar.core.migrations.compare import Outcome
from sidecar.core.reason import Reason
from sidecar.outputs.change_log import ChangeLog

GOOD = PollResult(at=1.0, outcome=Outcome.CURRENT)
DOWN = PollResult(at=3.0, failure=Reason.DATABASE_UNREACHABLE)


def test_each_change_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """A thousand polls with the same result are one line; a worse phase is a warning."""
    log = ChangeLog()
    current = status("shop.0001", "shop.0002")
    failed = status(failure=Reason.DATABASE_UNREACHABLE, message="db: refused")
    with caplog.at_level(logging.INFO, logger="sidecar.gate"):
        for _ in range(1000):
            log.announce(snapshot([current], GOOD))
        log.announce(snapshot([failed], GOOD, DOWN))
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "gate open: schema_current"),
        ("WARNING", "gate holding: schema_current (holding: database_unreachable): db: refused"),
    ]
