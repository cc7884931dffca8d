"""What is done about an output that fails: it is counted and logged, and the others go on."""

import logging
import traceback
from collections.abc import Callable
from pathlib import Path

LOG = logging.getLogger("sidecar.outputs")


class OutputFailures:
    """Takes the failures of all outputs."""

    def __init__(self, count: Callable[[str], None] = lambda _: None) -> None:
        """Take what counts a failure of the output with this name."""
        self._count = count
        self._logged: dict[str, str] = {}

    def report(self, output: str, error: Exception) -> None:
        """Count a failure, and log it in one line unless it is that output's last one again."""
        self._count(output)
        (*_, frame) = traceback.extract_tb(error.__traceback__)
        place = f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"
        if self._logged.get(output) != place:
            self._logged[output] = place
            LOG.error("output %s failed, the others go on: %s: %s", output, place, error)
