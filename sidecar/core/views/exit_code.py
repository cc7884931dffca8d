"""The exit code that an outcome means: a contract (README, "Exit codes")."""

from typing import Final

from sidecar.core.gate.state import Look, Policy
from sidecar.core.migrations.compare import Outcome
from sidecar.errors import DatabaseError

CODES: Final = {Outcome.BEHIND: 10, Outcome.AHEAD: 11, Outcome.INCONSISTENT: 12}


def exit_code(look: Look, policy: Policy, *, strict: bool = False) -> int:
    """Return the exit code that a look at everything means under this policy."""
    if look.outcome is None:
        return DatabaseError.exit_code
    if look.outcome is Outcome.AHEAD and policy.on_ahead_ready and not strict:
        return 0
    if look.outcome is Outcome.BEHIND and look.pruned and policy.accept_pruned:
        return 0
    return CODES.get(look.outcome, 0)
