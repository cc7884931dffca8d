"""One log line whenever the gate's reason changes, and none otherwise."""

import logging

from sidecar.core.gate.snapshot import Snapshot
from sidecar.core.gate.state import Gate, Phase
from sidecar.core.views.text import describe_gate

LOG = logging.getLogger("sidecar.gate")


class ChangeLog:
    """Logs changes of phase, reason and what holds the gate open."""

    def __init__(self) -> None:
        """Start with nothing logged."""
        self._logged: tuple[object, ...] = ()

    def announce(self, snapshot: Snapshot) -> None:
        """Log the gate if it is not as it was logged last."""
        gate = snapshot.gate
        if (gate.phase, gate.reason, gate.holding) == self._logged:
            return
        facts = {
            "ready": gate.ready,
            "phase": gate.phase,
            "reason": gate.reason,
            "holding": gate.holding,
        }
        text = f"gate {gate.phase}: {describe_gate(gate, snapshot.databases)}"
        LOG.log(_level(gate), text, extra={"facts": facts})
        self._logged = (gate.phase, gate.reason, gate.holding)


def _level(gate: Gate) -> int:
    quiet = gate.phase in {Phase.OPEN, Phase.STARTING, Phase.DRAINING}
    return logging.INFO if quiet else logging.WARNING
