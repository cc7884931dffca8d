"""A real PgBouncer of our own before a real PostgreSQL: SCRAM on both sides, a small pool."""

import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import psycopg
from psycopg.rows import dict_row

from support import needs
from support.postgres import PASSWORD, Server, free_port
from support.process import until

POOL = 2
"""Server connections for one user of one database; more clients than that must share."""

ADMIN = "admin"


class PgBouncer:
    """One PgBouncer before one server; knows the server's users by their SCRAM verifiers."""

    def __init__(self, server: Server, folder: Path, **settings: str) -> None:
        """Write its files; nothing runs before `start`. Settings are those of pgbouncer.ini."""
        self.port = free_port()
        self._program = needs.program("pgbouncer", "pgbouncer")
        self._user = "nobody" if os.geteuid() == 0 else None
        self._folder = folder / f"pgbouncer-{self.port}"
        self._folder.mkdir()
        self._folder.chmod(0o755)
        self._users(server)
        self._configure(server, settings)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End it, whatever its state."""
        self.stop(signal.SIGKILL)

    def start(self) -> None:
        """Start, on the same port each time, and wait until it takes clients."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, "-q", "pgbouncer.ini"],
                cwd=self._folder,
                user=self._user,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        until(self._answers, "PgBouncer answers")

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Signal it and wait for its end: SIGTERM drops every client at once, as SIGKILL does.

        Since 1.23 only the second SIGTERM does; at the first, it waits for them to leave.
        """
        process, self._process = self._process, None

        def ended() -> bool:
            if process is not None and process.poll() is None:
                process.send_signal(number)
                return False
            return True

        until(ended, "PgBouncer ends")

    def url(self, database: str, user: str, password: str = PASSWORD) -> str:
        """Return a URL through PgBouncer."""
        return f"postgresql://{user}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}"

    def admin(self, command: str) -> list[dict[str, Any]]:
        """Run a command of the admin console, such as SHOW POOLS; return its rows."""
        with psycopg.connect(
            self.url("pgbouncer", ADMIN, ADMIN),
            autocommit=True,
            cursor_factory=psycopg.ClientCursor,  # The console speaks the simple protocol only.
        ) as connection:
            cursor = connection.cursor(row_factory=dict_row)
            cursor.execute(command)
            return cursor.fetchall() if cursor.description else []

    def version(self) -> tuple[int, ...]:
        """Return its version, such as (1, 26, 1)."""
        (row,) = self.admin("SHOW VERSION")
        return tuple(map(int, str(row["version"]).removeprefix("PgBouncer ").split(".")))

    def _answers(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            raise AssertionError((self._folder / "log").read_text())
        try:
            return bool(self.admin("SHOW VERSION"))
        except psycopg.OperationalError:
            return False

    def _users(self, server: Server) -> None:
        known = server.execute("SELECT rolname, rolpassword FROM pg_authid WHERE rolcanlogin")
        users = [*known, (ADMIN, ADMIN)]
        self._write("users.txt", [f'"{name}" "{secret}"' for name, secret in users])

    def _configure(self, server: Server, settings: dict[str, str]) -> None:
        options = {
            "listen_addr": "127.0.0.1",
            "listen_port": str(self.port),
            "unix_socket_dir": "",
            "auth_type": "scram-sha-256",
            "auth_file": "users.txt",
            "admin_users": ADMIN,
            "default_pool_size": str(POOL),
            "server_login_retry": "1",
            **settings,
        }
        self._write(
            "pgbouncer.ini",
            [
                *("[databases]", f"* = host=127.0.0.1 port={server.port}", "[pgbouncer]"),
                *(f"{name} = {value}" for name, value in options.items()),
            ],
        )

    def _write(self, name: str, lines: list[str]) -> None:
        path = self._folder / name
        path.write_text("\n".join(lines) + "\n")
        path.chmod(0o600)
        if self._user:
            shutil.chown(path, self._user)
