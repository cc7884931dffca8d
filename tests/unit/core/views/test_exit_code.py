"""The exit code that a poll means."""

import pytest

from sidecar.core.gate.state import Policy, PollResult
from sidecar.core.migrations.compare import Outcome
from sidecar.core.reason import Reason
from sidecar.core.views.exit_code import exit_code
from sidecar.errors import ExitCode

STRICT_POLICY = Policy(on_ahead_ready=False)
ACCEPTS_PRUNED = Policy(on_pruned="accept")
UNREAD = PollResult(at=1.0, failure=Reason.DATABASE_UNREACHABLE)
PRUNED = PollResult(at=1.0, outcome=Outcome.BEHIND, pruned=True)


@pytest.mark.parametrize(
    ("result", "policy", "expected"),
    [
        (UNREAD, Policy(), ExitCode.DATABASE),
        (PollResult(at=1.0, outcome=Outcome.CURRENT), Policy(), ExitCode.CURRENT),
        (PollResult(at=1.0, outcome=Outcome.AHEAD), Policy(), ExitCode.CURRENT),
        (PollResult(at=1.0, outcome=Outcome.AHEAD), STRICT_POLICY, ExitCode.AHEAD),
        (PRUNED, Policy(), ExitCode.BEHIND),
        (PRUNED, ACCEPTS_PRUNED, ExitCode.CURRENT),
        (PollResult(at=1.0, outcome=Outcome.BEHIND), ACCEPTS_PRUNED, ExitCode.BEHIND),
        (PollResult(at=1.0, outcome=Outcome.INCONSISTENT), Policy(), ExitCode.INCONSISTENT),
    ],
)
def test_a_poll_means_an_exit_code(result: PollResult, policy: Policy, expected: ExitCode) -> None:
    """It is CURRENT wherever the gate would open."""
    assert exit_code(result, policy) is expected


def test_strict_refuses_a_database_that_is_ahead() -> None:
    """`check --strict` asks for exactly this manifest."""
    result = PollResult(at=1.0, outcome=Outcome.AHEAD)
    assert exit_code(result, Policy(), strict=True) is ExitCode.AHEAD
