"""The exit code that a poll means: a contract (docs/cli.md)."""

from typing import Final

from sidecar.core.gate.state import Policy, PollResult
from sidecar.core.migrations.compare import Outcome
from sidecar.errors import DatabaseError

CODES: Final = {Outcome.BEHIND: 10, Outcome.AHEAD: 11, Outcome.INCONSISTENT: 12}


def exit_code(result: PollResult, policy: Policy, *, strict: bool = False) -> int:
    """Return the exit code that a poll of every database means under this policy."""
    if result.outcome is None:
        return DatabaseError.exit_code
    if result.outcome is Outcome.AHEAD and policy.on_ahead_ready and not strict:
        return 0
    if result.outcome is Outcome.BEHIND and result.pruned and policy.on_pruned == "accept":
        return 0
    return CODES.get(result.outcome, 0)
