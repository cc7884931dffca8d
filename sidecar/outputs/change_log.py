"""One log line whenever the gate's reason changes, and none otherwise."""

import logging

from sidecar.core.gate.snapshot import Snapshot
from sidecar.core.gate.state import Gate, Phase
from sidecar.core.views.text import gate_line

LOG = logging.getLogger("sidecar.gate")


class ChangeLog:
    """Logs changes of phase, reason and what holds the gate open."""

    def __init__(self) -> None:
        """Start with nothing told."""
        self._told: tuple[object, ...] = ()

    def announce(self, snapshot: Snapshot) -> None:
        """Log the gate if it is not as it was told last."""
        gate = snapshot.gate
        if (gate.phase, gate.reason, gate.holding) == self._told:
            return
        self._told = (gate.phase, gate.reason, gate.holding)
        facts = {
            "ready": gate.ready,
            "phase": gate.phase,
            "reason": gate.reason,
            "holding": gate.holding,
        }
        text = f"gate {gate.phase}: {gate_line(gate, snapshot.targets)}"
        LOG.log(_level(gate), text, extra={"facts": facts})


def _level(gate: Gate) -> int:
    quiet = gate.phase in {Phase.OPEN, Phase.STARTING, Phase.DRAINING}
    return logging.INFO if quiet else logging.WARNING
