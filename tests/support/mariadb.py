"""A real MariaDB server of our own, from Debian's mariadb-server-core.

Runs as any user: as root, the server runs as `nobody`. The system's service is never touched.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import pymysql

from support import needs
from support.postgres import PASSWORD, free_port
from support.process import PATIENCE, until

SETTINGS = {
    "innodb-buffer-pool-size": "16M",
    "innodb-log-file-size": "8M",
    "innodb-flush-log-at-trx-commit": "0",
    "performance-schema": "on",
    "skip-name-resolve": "on",
}


class Server:
    """One server in a folder of its own; `root` without a password on its socket."""

    def __init__(self, **settings: str) -> None:
        """Make the data folder; nothing runs before `start`, when the settings count."""
        self.settings = {name.replace("_", "-"): value for name, value in settings.items()}
        self.folder = Path(tempfile.mkdtemp(prefix="sidecar-my-"))
        self.folder.chmod(0o755)
        self.port = 0
        self._user = "nobody" if os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None
        if self._user:
            shutil.chown(self.folder, self._user)
        subprocess.run(
            [
                *(program("mariadb-install-db"), "--no-defaults", f"--datadir={self.data}"),
                *(
                    "--auth-root-authentication-method=normal",
                    "--skip-test-db",
                    "--skip-name-resolve",
                ),
                f"--innodb-log-file-size={SETTINGS['innodb-log-file-size']}",
            ],
            check=True,
            capture_output=True,
            user=self._user,
            cwd="/",
        )

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop at once and remove every trace."""
        self.destroy()

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def socket(self) -> str:
        return str(self.folder / "socket")

    def start(self) -> None:
        """Start and wait until connections are taken; the port stays the same from then on."""
        for _ in range(5):
            port = self.port or free_port()
            options = {"datadir": str(self.data), "socket": self.socket, "port": str(port)}
            # Since 11.4 a server has TLS even where nobody gave it a certificate.
            options["ssl"] = "on" if "ssl-cert" in self.settings else "off"
            options |= {"bind-address": "127.0.0.1", **SETTINGS, **self.settings}
            with (self.folder / "log").open("ab") as log:
                self._process = subprocess.Popen(
                    [
                        *(program("mariadbd"), "--no-defaults"),
                        *(f"--{name}={value}" for name, value in options.items()),
                    ],
                    stdout=log,
                    stderr=log,
                    user=self._user,
                    cwd="/",
                )
            if self._answers():
                self.port = port
                return
        raise AssertionError((self.folder / "log").read_text()[-2000:])

    def stop(self) -> None:
        """End the server as its service would."""
        self._end(signal.SIGTERM)

    def pause(self) -> None:
        """SIGSTOP it: the kernel takes connections, and nobody answers."""
        self._signal(signal.SIGSTOP)
        until(self._is_stopped, "every thread has stopped")

    def resume(self) -> None:
        """Let a paused server go on."""
        self._signal(signal.SIGCONT)

    def destroy(self) -> None:
        """End the server, whatever its state, and remove its folder."""
        self._end(signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str, user: str, password: str = PASSWORD) -> str:
        """Return a URL over TCP, percent-encoded as a careful person would."""
        return f"mysql://{user}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}"

    def connect(self, database: str | None = None) -> "pymysql.Connection[Any]":
        """Return a connection of root in autocommit mode."""
        return pymysql.connect(
            unix_socket=self.socket, user="root", database=database, autocommit=True
        )

    def execute(self, statement: str, database: str | None = None) -> list[tuple[object, ...]]:
        """Run one statement as root; return its rows."""
        with self.connect(database) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    def script(self, script: Path, **variables: str) -> None:
        """Run a script with variables set before it, by MariaDB's own client."""
        assignments = ", ".join(f"@{name}={_quote(value)}" for name, value in variables.items())
        with script.open("rb") as text:
            subprocess.run(
                [
                    *(program("mariadb"), "--no-defaults", "--user=root", "--skip-ssl"),
                    *(f"--socket={self.socket}", f"--init-command=SET {assignments}"),
                ],
                stdin=text,
                check=True,
                capture_output=True,
            )

    def _answers(self) -> bool:
        for _ in range(1500):
            if self._process is None or self._process.poll() is not None:
                return False
            # Not with the driver, which would leave a refused socket open.
            with socket.socket(socket.AF_UNIX) as probe, suppress(OSError):
                probe.connect(self.socket)
                return self.execute("SELECT 1") == [(1,)]
            time.sleep(0.02)
        return False

    def _signal(self, number: int) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def _is_stopped(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            return True
        threads = Path(f"/proc/{self._process.pid}/task").glob("*/stat")
        return all(stat.read_text().rpartition(")")[2].split()[0] == "T" for stat in threads)

    def _end(self, number: int) -> None:
        self._signal(number)
        if self._process is not None:
            self._process.wait(60 * PATIENCE)


def program(name: str) -> str:
    """Return the path of one of MariaDB's programs; skip or fail where it is not installed."""
    return needs.program("mariadb", name)


def _quote(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
