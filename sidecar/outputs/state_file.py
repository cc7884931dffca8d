"""A file that remembers, for one manifest, that the gate was open: `state_file`.

With it a sidecar that is restarted during a database outage does not take its pod out.
"""

from contextlib import suppress
from pathlib import Path
from typing import Final

from sidecar.core.gate.snapshot import Snapshot
from sidecar.core.gate.state import Phase
from sidecar.regular_file import open_regular

MAX_BYTES: Final = 200
"""More than any digest has: the file may be anything."""


class StateFile:
    """Writes the manifest's digest when the gate opens, removes it when the gate closes."""

    def __init__(self, path: Path) -> None:
        """Take the file's path; it need not exist."""
        self._path = path
        self._kept: bool | None = None

    def remembers(self, digest: str) -> bool:
        """Return whether the gate was open for this manifest when the last process ended."""
        try:
            with open_regular(self._path) as file:
                return file.read(MAX_BYTES).strip() == digest.encode()
        except OSError:
            return False

    def announce(self, snapshot: Snapshot) -> None:
        """Keep the file as the gate is. Raises OSError, and tries again at the next call."""
        keep = {Phase.OPEN: True, Phase.CLOSED: False}.get(snapshot.gate.phase)
        if keep is None or keep == self._kept:
            return
        self._write(snapshot.identity.manifest) if keep else self._path.unlink(missing_ok=True)
        self._kept = keep

    def _write(self, digest: str) -> None:
        """Replace the file in one step, so that no reader sees half a digest."""
        draft = self._path.with_name(self._path.name + ".new")
        try:
            draft.unlink(missing_ok=True)
            # Whatever stands there again by now, such as a link to another file, is not written to.
            with draft.open("x", encoding="ascii") as file:
                file.write(digest + "\n")
            draft.replace(self._path)
        except OSError:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
            raise
