"""The exit code that an outcome means: a contract (README, "Exit codes")."""

from typing import Final

from sidecar.config.settings import Settings
from sidecar.core.gate.state import Look
from sidecar.core.migrations.compare import Outcome
from sidecar.errors import DatabaseError

CODES: Final = {Outcome.BEHIND: 10, Outcome.AHEAD: 11, Outcome.INCONSISTENT: 12}


def code_of(look: Look, settings: Settings, *, strict: bool = False) -> int:
    """Return the exit code that a look at everything means under these settings."""
    if look.outcome is None:
        return DatabaseError.exit_code
    return exit_code(look.outcome, settings, pruned=look.pruned, strict=strict)


def exit_code(
    outcome: Outcome, settings: Settings, *, pruned: bool = False, strict: bool = False
) -> int:
    """Return the exit code that an outcome means under these settings."""
    if outcome is Outcome.AHEAD and settings.on_ahead == "ready" and not strict:
        return 0
    if outcome is Outcome.BEHIND and pruned and settings.accept_pruned:
        return 0
    return CODES.get(outcome, 0)
