"""A second real server that follows a first one by streaming replication."""

import shutil
import tempfile
from pathlib import Path

from support.postgres import Server


class Replica(Server):
    """A hot standby; it uses the programs of its primary, which must outlive it."""

    def __init__(self, primary: Server) -> None:
        """Copy the primary as pg_basebackup does; nothing runs before `start`."""
        self.folder = Path(tempfile.mkdtemp(prefix="sidecar-pg-"))
        self.folder.chmod(0o755)
        self.data = self.folder / "data"
        self.data.mkdir(mode=0o700)
        self.port = 0
        self.settings = primary.settings
        self._user = primary._user
        self._programs = primary._programs
        if self._user:
            shutil.chown(self.data, self._user)
        flags = ("--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-sync")
        self._run("pg_basebackup", *flags, "-d", primary.url("postgres"))

    def promote(self) -> None:
        """Make it a primary."""
        self._run("pg_ctl", "-w", "promote")

    def follows(self, primary: Server) -> bool:
        """Return whether it has replayed all that the primary has written."""
        ((position,),) = primary.execute("SELECT pg_current_wal_lsn()")
        replayed = f"SELECT coalesce(pg_last_wal_replay_lsn() >= '{position}', false)"
        return self.execute(replayed) == [(True,)]


def come_back_stale(server: Server) -> None:
    """Start a dead primary as a standby that follows nobody: what it has is all it will show."""
    signal = server.data / "standby.signal"
    signal.touch()
    if server._user:
        shutil.chown(signal, server._user)
    server.start()
