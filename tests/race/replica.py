"""One replica: the shipped entrypoint, which applies migrations, and then the application."""

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
"""Stands for the server: prints whether any post_migrate handler has ended when it starts."""


class Replica:
    """A process as a container would run it."""

    def __init__(self, release: Release, url: str, number: int) -> None:
        """Start it; its output goes to files."""
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
    def stderr(self) -> str:
        """All that it wrote to standard error."""
        return self._err.read_text()

    def has_migrated(self) -> bool:
        """Return whether it has started the command."""
        return "migrating: " in self.stderr

    def has_waited(self) -> bool:
        """Return whether it had to wait for another migrate run."""
        return "waiting for another migrate run" in self.stderr

    def is_ready(self) -> bool:
        """Return whether it became the application."""
        return self._process.returncode == 0

    def was_early(self) -> bool:
        """Return whether it was the application before any handler had ended."""
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
