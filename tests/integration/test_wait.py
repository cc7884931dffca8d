"""`sidecar wait`: until the schema is current, and then the command."""

import os
import pty
import shlex
import signal
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path

import pytest

from support import project
from support.database import Database
from support.process import PATIENCE

SHOW = "import os, sys; print(os.getpid(), sys.argv[1:])"


def command(manifest: Path, *flags: str) -> list[str]:
    return [project.sidecar(), "wait", f"--manifest={manifest}", *flags]


def test_waits_for_migrate_and_then_becomes_the_command(database: Database, manifest: Path) -> None:
    """The same process goes on as the command, with its arguments, once migrate has ended."""
    waiting = subprocess.Popen(
        command(manifest, "--timeout=10m", "--", sys.executable, "-c", SHOW, "a b", "--", "--json"),
        env=project.environment(DATABASE_URL=database.reader),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    database.migrate()
    out, err = waiting.communicate(timeout=30 * PATIENCE)
    assert waiting.returncode == 0
    assert out.strip() == f"{waiting.pid} ['a b', '--', '--json']"
    assert "wait: schema_behind: 45 pending, next contenttypes.0001_initial" in err
    assert err.strip().endswith("wait: schema_current")


def test_without_a_command_it_ends_with_zero(migrated: Database, manifest: Path) -> None:
    """In a script `sidecar wait && ...` is enough."""
    ended = subprocess.run(
        command(manifest), check=False, capture_output=True, timeout=30 * PATIENCE,
        env=project.environment(DATABASE_URL=migrated.reader),
    )  # fmt: skip
    assert ended.returncode == 0


@pytest.mark.parametrize("stderr", ["2>/dev/full", "2>&-", "2>&1 >/dev/null | true"])
def test_the_command_runs_though_nobody_reads(
    migrated: Database, manifest: Path, tmp_path: Path, stderr: str
) -> None:
    """A worker must not depend on its log's pipe."""
    ran = tmp_path / "ran"
    words = shlex.join(command(manifest, "--", "touch", str(ran)))
    env = project.environment(DATABASE_URL=migrated.reader)
    subprocess.run(["bash", "-c", f"{words} {stderr}"], check=False, env=env, timeout=30 * PATIENCE)
    assert ran.exists()


def test_gives_up_in_time_even_when_the_database_hangs(database: Database, manifest: Path) -> None:
    """A look under way does not outlast --timeout; 124 and why."""
    with database.server.connect(database.name) as locker:
        locker.execute("BEGIN; LOCK TABLE django_migrations IN ACCESS EXCLUSIVE MODE")
        began = time.monotonic()
        ended = subprocess.run(
            command(manifest, "--timeout=1s", "--read-timeout=300s"),
            check=False, env=project.environment(DATABASE_URL=database.reader),
            capture_output=True, text=True, timeout=30 * PATIENCE,
        )  # fmt: skip
    assert ended.returncode == 124
    assert "sidecar: not ready after 1 s: starting" in ended.stderr
    assert time.monotonic() - began < 5 * PATIENCE


def test_ctrl_c_ends_it_with_130(database: Database, manifest: Path) -> None:
    """An interrupted wait says nothing more, and never starts the command."""
    waiting = subprocess.Popen(
        command(manifest, "--", "echo", "started"),
        env=project.environment(DATABASE_URL=database.reader),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert waiting.stderr is not None
    waiting.stderr.readline()
    waiting.send_signal(signal.SIGINT)
    out, err = waiting.communicate(timeout=10 * PATIENCE)
    assert (waiting.returncode, out) == (130, "")
    assert "Traceback" not in err


def test_on_a_terminal_it_draws_a_bar(database: Database, manifest: Path) -> None:
    """A person sees how much is applied and what comes next."""
    main, branch = pty.openpty()
    termios.tcsetwinsize(branch, (24, 100))
    waiting = subprocess.Popen(
        command(manifest),
        env=project.environment(DATABASE_URL=database.reader),
        stdout=branch, stderr=branch,
    )  # fmt: skip
    os.close(branch)
    seen = bytearray()

    def drain() -> None:
        while True:
            try:
                seen.extend(os.read(main, 4096))
            except OSError:
                return

    reader = threading.Thread(target=drain)
    reader.start()
    database.migrate()
    assert waiting.wait(30 * PATIENCE) == 0
    reader.join(5 * PATIENCE)
    os.close(main)
    assert "schema_behind contenttypes.0001_initial" in seen.decode()
    assert "45/45" in seen.decode()
