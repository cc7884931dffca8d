"""A wall clock of its own for a child process, by Debian's libfaketime; monotonic time stays."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from support import needs
from support.postgres import Server


class Clock:
    """A clock that a process started with `variables` goes by; `step` moves it while it runs."""

    def __init__(self, file: Path) -> None:
        """Start at the true time; the file must be readable for the process."""
        needs.declare("faketime")
        libraries = sorted(Path("/usr/lib").glob("**/faketime/libfaketimeMT.so.1"))
        if not libraries:
            needs.missing("faketime")
        self._file = file
        self.variables = {
            "LD_PRELOAD": str(libraries[0]),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }
        self.step(0)

    def step(self, days: int) -> None:
        """Set the clock so many days after the true time."""
        self._file.write_text(f"{days:+}d\n")
        self._file.chmod(0o644)


class ClockedServer(Server):
    """A PostgreSQL whose clock can be stepped while it runs."""

    def __init__(self, programs: Path | None = None) -> None:
        """Make the cluster, at the true time."""
        self._clocks = Path(tempfile.mkdtemp(prefix="sidecar-clock-"))
        self._clocks.chmod(0o755)
        self.clock = Clock(self._clocks / "clock")
        super().__init__(programs)

    def destroy(self) -> None:
        """End the server, and remove its folder and its clock."""
        super().destroy()
        shutil.rmtree(self._clocks)

    def _run(self, program: str, *arguments: str) -> None:
        with tempfile.TemporaryFile() as output:
            subprocess.run(
                [*self._command(program), *arguments],
                check=True,
                stdout=output,
                stderr=subprocess.STDOUT,
                user=self._user,
                env={**os.environ, **self.clock.variables},
                cwd="/",
            )
