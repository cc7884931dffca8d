"""The exit code that a poll means: a contract (docs/cli.md)."""

from typing import Final

from sidecar.core.gate.state import Policy, PollResult
from sidecar.core.migrations.compare import Outcome
from sidecar.errors import ExitCode

CODES: Final = {
    Outcome.CURRENT: ExitCode.CURRENT,
    Outcome.AHEAD: ExitCode.AHEAD,
    Outcome.BEHIND: ExitCode.BEHIND,
    Outcome.INCONSISTENT: ExitCode.INCONSISTENT,
}


def exit_code(result: PollResult, policy: Policy, *, strict: bool = False) -> ExitCode:
    """Return the exit code that a poll of every database means under this policy."""
    if result.outcome is None:
        return ExitCode.DATABASE
    if result.outcome is Outcome.AHEAD and policy.on_ahead_ready and not strict:
        return ExitCode.CURRENT
    if result.outcome is Outcome.BEHIND and result.pruned and policy.on_pruned == "accept":
        return ExitCode.CURRENT
    return CODES[result.outcome]
