"""One replica: the shipped entrypoint, told to apply migrations, and then the application."""

import signal
import subprocess
from pathlib import Path

from support.release import Release

APPLICATION = (
    "import os, psycopg\n"
    "with psycopg.connect(os.environ['DATABASE_URL']) as connection:\n"
    "    (handled,) = connection.execute('SELECT count(*) FROM handled').fetchone()\n"
    "print('ready' if handled else 'early')\n"
)
"""Stands for the server: says whether any post_migrate handler has ended when it starts."""


class Replica:
    """A process as a container would run it."""

    def __init__(self, release: Release, url: str, number: int) -> None:
        """Start it; what it says goes to files."""
        self._out = release.folder.parent / f"replica-{number}.out"
        self._err = release.folder.parent / f"replica-{number}.err"
        self.killed = False
        with self._out.open("w") as out, self._err.open("w") as err:
            self._process = subprocess.Popen(
                ["./entrypoint.sh", "python", "-c", APPLICATION],
                cwd=release.folder,
                env=release.environment(
                    url,
                    DJANGO_APPLY_MIGRATIONS="true",
                    EXAMPLE_SLOW_SECONDS="1",
                    EXAMPLE_HANDLER_SECONDS="1",
                ),
                stdout=out,
                stderr=err,
            )

    @property
    def told(self) -> str:
        """All that it said on standard error."""
        return self._err.read_text()

    def migrates(self) -> bool:
        """Tell whether it has started the command."""
        return "migrating: " in self.told

    def waited(self) -> bool:
        """Tell whether it had to wait for another run."""
        return "waiting for another run" in self.told

    def ready(self) -> bool:
        """Tell whether it became the application."""
        return self._process.returncode == 0

    def early(self) -> bool:
        """Tell whether it was the application before any handler had ended."""
        return "early" in self._out.read_text()

    def kill(self) -> None:
        """SIGKILL `sidecar migrate`; the entrypoint then ends, and the container with it."""
        self.killed = True
        pid = self._process.pid
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            subprocess.run(["kill", f"-{signal.SIGKILL.value}", child], check=True)

    def wait(self, within: float = 120) -> None:
        """Wait for its end."""
        self._process.wait(within)
