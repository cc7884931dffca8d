"""The exit code that an outcome means (README, "Exit codes")."""

from typing import Final

from sidecar.core.gate.state import Look, Policy
from sidecar.core.migrations.compare import Outcome
from sidecar.errors import ExitCode

CODES: Final = {
    Outcome.CURRENT: ExitCode.CURRENT,
    Outcome.AHEAD: ExitCode.AHEAD,
    Outcome.BEHIND: ExitCode.BEHIND,
    Outcome.INCONSISTENT: ExitCode.INCONSISTENT,
}


def exit_code(look: Look, policy: Policy, *, strict: bool = False) -> ExitCode:
    """Return the exit code that a reading of every database means under this policy."""
    if look.outcome is None:
        return ExitCode.DATABASE
    if look.outcome is Outcome.AHEAD and policy.on_ahead_ready and not strict:
        return ExitCode.CURRENT
    if look.outcome is Outcome.BEHIND and look.pruned and policy.on_pruned == "accept":
        return ExitCode.CURRENT
    return CODES[look.outcome]
