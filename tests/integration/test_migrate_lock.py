"""The migration lock: one process at a time, and nothing left behind by one that dies."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from sidecar.databases.postgres import migrate_runs
from support.database import Database
from support.pgbouncer import PgBouncer
from support.postgres import PASSWORD
from support.process import PATIENCE, Sidecar, until
from support.release import Release, json_of, sql

MIGRATE = ("sidecar", "migrate", "--json=-")
DJANGO = ("--", "python", "manage.py", "migrate", "--noinput", "--verbosity=0")
WAITING = f"""
    SELECT state, backend_xmin FROM pg_stat_activity
     WHERE application_name LIKE '{migrate_runs.WAITER_NAME} %' AND datname = current_database()
"""
ADVISORY_LOCKS = """
    SELECT pid FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
     WHERE locktype = 'advisory' AND datname = current_database()
"""


STRANGER = "stranger"


def add_stranger(database: Database) -> str:
    """Make a role with CONNECT and nothing else."""
    if not database.execute(f"SELECT 1 FROM pg_roles WHERE rolname = '{STRANGER}'"):
        database.execute(f"CREATE ROLE {STRANGER} LOGIN PASSWORD '{PASSWORD}'")
    return STRANGER


@pytest.fixture
def release(tmp_path: Path) -> Release:
    """A copy of the example project with one migration that sleeps for a minute."""
    made = Release(tmp_path)
    made.add("0013_long", sql("SELECT pg_sleep(600)"))
    made.bake()
    return made


@contextmanager
def run_long_migration(
    release: Release, database: Database, *flags: str
) -> Iterator["subprocess.Popen[str]"]:
    """Run until the long migration is under way."""
    started = release.start(*MIGRATE, *flags, *DJANGO, url=database.migrator)
    try:
        until(lambda: bool(find_sleeping(database)), "the long migration runs")
        yield started
    finally:
        started.kill()
        started.communicate()


def find_sleeping(database: Database) -> list[tuple[object, ...]]:
    return database.execute(
        f"SELECT pid FROM pg_stat_activity WHERE query ~ 'pg_sleep.60' AND state = 'active'"
        f" AND datname = '{database.name}' AND pid <> pg_backend_pid()"
    )


def test_the_second_waits_without_a_snapshot(migrated: Database, release: Release) -> None:
    """It polls; waiting inside the lock function would block CREATE INDEX CONCURRENTLY."""
    with run_long_migration(release, migrated):
        flags = ("--lock-timeout=8s", "--json=second.json")
        second = release.start(*MIGRATE, *flags, *DJANGO, url=migrated.migrator)
        # Active while it asks, idle between two questions; inside the function never idle.
        until(lambda: migrated.execute(WAITING) == [("idle", None)], "it waits for the lock, idle")
        _, log = second.communicate(timeout=20 * PATIENCE)
        assert second.returncode == 124
        assert "waiting for another migrate run: 45 of 46 applied" in log
        assert "sidecar: no migration lock within 8 s: " in log
    report = json.loads((release.folder / "second.json").read_text())
    assert 8 <= report["waited_seconds"] <= report["seconds"]


def test_killed_it_leaves_neither_a_lock_nor_a_command(
    migrated: Database, release: Release
) -> None:
    """SIGKILL takes the command along and its statement too, and the next one acquires the lock."""
    with run_long_migration(release, migrated) as first:
        children = Path(f"/proc/{first.pid}/task/{first.pid}/children").read_text().split()
        first.kill()
        first.wait()
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children), "it dies", 5)
        until(lambda: not migrated.execute(ADVISORY_LOCKS), "the lock is free", 5)
        until(lambda: not find_sleeping(migrated), "no statement runs on", 10)
    long = release.folder / "orders" / "migrations" / "0013_long.py"
    long.write_text(long.read_text().replace("pg_sleep(600)", "1"))
    ended = release.run(*MIGRATE, *DJANGO, url=migrated.migrator)
    assert json_of(ended)["result"] == "applied", ended.stderr


def test_waits_for_the_sessions_of_a_dead_run(migrated: Database, release: Release) -> None:
    """A command that outlived its runner may still migrate; two at a time is what this prevents."""
    (schema,) = migrated.execute("SELECT 'public'::regnamespace::oid::text")[0]
    with migrated.server.connect(migrated.name) as survivor:
        survivor.execute(f"SET application_name = '{migrate_runs.COMMAND_NAME} {schema}'")
        started = release.start(
            *MIGRATE, "--lock-timeout=2s", "--", "python", "-c", "pass", url=migrated.migrator
        )
        _, log = started.communicate(timeout=20 * PATIENCE)
    assert "waiting for 1 session(s) of a migrate run that has died" in log
    assert started.returncode == 124


def test_a_stranger_with_the_lock_is_named_and_is_no_run(
    database: Database, release: Release
) -> None:
    """Whoever may not write the table moves no gate; migrate names it, and how to end it."""
    ((schema,),) = database.execute("SELECT 'public'::regnamespace::oid")
    url = database.server.url(database.name, add_stranger(database))
    with (
        Sidecar(release.bake(), url=database.reader) as sidecar,
        psycopg.connect(url, autocommit=True) as stranger,
    ):
        name = f"{migrate_runs.HOLDER_NAME} {schema} since 1e300"
        stranger.execute("SELECT set_config('application_name', %s, false)", [name])
        key = (migrate_runs.LOCK_CLASS << 32) | int(str(schema))
        stranger.execute("SELECT pg_advisory_lock(%s)", [key])
        pid = stranger.info.backend_pid
        started = release.start(*MIGRATE, "--lock-timeout=3s", *DJANGO, url=database.migrator)
        _, log = started.communicate(timeout=30 * PATIENCE)
        assert started.returncode == 124
        held = f"held by pid {pid}, role {STRANGER}, who may not migrate"
        assert f"no migration lock within 3 s: waiting for the migration lock, {held}: " in log
        assert f"{held}: SELECT pg_terminate_backend({pid})\n" in log
        until(lambda: bool(sidecar.status()["targets"][0]["lock_holder"]), "the holder is seen")
        (target,) = sidecar.status()["targets"]
        assert target["lock_holder"] == {
            "pid": pid, "role": STRANGER, "since": None, "trusted": False,
        }  # fmt: skip
        assert (target["migrate"], target["reason"]) == (None, "schema_behind")
        assert "running" not in sidecar.get("/readyz?verbose")[1]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 1)])
def test_signals_reach_the_command(
    migrated: Database, release: Release, number: signal.Signals, code: int
) -> None:
    """Whatever the command makes of a signal becomes the exit code, and nothing runs on."""
    with run_long_migration(release, migrated) as first:
        first.send_signal(number)
        out, err = first.communicate(timeout=20 * PATIENCE)
        assert first.returncode == code or first.returncode == 128 + number
        assert '"result": "interrupted"' in out
        until(lambda: not find_sleeping(migrated), "no statement runs on", 10)
        assert "Traceback" not in err or number is signal.SIGINT


def test_a_signal_while_waiting_ends_it(migrated: Database, release: Release) -> None:
    """Nothing runs yet, so there is nobody to pass it on to."""
    with run_long_migration(release, migrated):
        second = release.start(*MIGRATE, *DJANGO, url=migrated.migrator)
        until(lambda: bool(migrated.execute(WAITING)), "the second waits for the lock")
        second.terminate()
        _, log = second.communicate(timeout=20 * PATIENCE)
        assert second.returncode == 143
        assert log.endswith("sidecar: interrupted\n")


def test_a_lost_lock_stops_the_command(migrated: Database, release: Release) -> None:
    """Without the lock somebody else may begin; so what runs must end first, and is tried again."""
    with run_long_migration(release, migrated, "--retries=0") as first:
        migrated.execute(f"SELECT pg_terminate_backend(pid) FROM ({ADVISORY_LOCKS}) AS held")
        out, log = first.communicate(timeout=30 * PATIENCE)
        assert first.returncode == 143
        assert '"result": "lost_lock"' in out
        assert "error the migration lock is lost: " in log
        until(lambda: not find_sleeping(migrated), "no statement runs on", 10)


def test_leaves_the_queue_of_a_table_lock_and_tries_again(
    migrated: Database, tmp_path: Path
) -> None:
    """With a lock timeout a long transaction stops the migration and not the application."""
    release = Release(tmp_path)
    release.add("0013_alter", sql("ALTER TABLE orders_order ADD COLUMN extra int"))
    release.bake()
    flags = ("--lock-timeout-per-statement=300ms", "--retries=5")
    with migrated.server.connect(migrated.name) as reader:
        reader.execute("BEGIN; SELECT count(*) FROM orders_order")
        started = release.start(*MIGRATE, *flags, *DJANGO, url=migrated.migrator)
        seen = b""
        assert started.stderr is not None
        while b"again in" not in seen:
            seen += os.read(started.stderr.fileno(), 65536)
        reader.execute("COMMIT")
    out, _ = started.communicate(timeout=60 * PATIENCE)
    ended = subprocess.CompletedProcess((), started.returncode, out, "")
    report = json_of(ended)
    assert b"attempt 1 failed: a lock was not to be had in time" in seen
    assert (started.returncode, report["result"]) == (0, "applied")
    assert report["attempts"] >= 2


def test_a_migration_that_is_not_atomic_is_not_tried_again(
    migrated: Database, tmp_path: Path
) -> None:
    """A part of it may be left, which only a person can judge."""
    release = Release(tmp_path)
    alter = sql("ALTER TABLE orders_order ADD COLUMN extra int")
    release.add("0013_alter", alter, atomic=False)
    release.bake()
    with migrated.server.connect(migrated.name) as reader:
        reader.execute("BEGIN; SELECT count(*) FROM orders_order")
        ended = release.run(
            *MIGRATE, "--lock-timeout-per-statement=300ms", *DJANGO, url=migrated.migrator
        )
    report = json_of(ended)
    assert (ended.returncode, report["result"], report["attempts"]) == (1, "failed", 1)
    assert report["failed"]["why"] == "a lock was not to be had in time"


@pytest.mark.pgbouncer
def test_transaction_pooling_is_refused(
    migrated: Database, release: Release, tmp_path: Path
) -> None:
    """There a session's lock would be held by whoever gets the backend next."""
    with PgBouncer(migrated.server, tmp_path, pool_mode="transaction") as bouncer:
        url = bouncer.url(migrated.name, "shop_migrate")
        ended = release.run(*MIGRATE, *DJANGO, url=url)
    assert ended.returncode == 64
    assert re.search("goes through a pooler with transaction pooling", ended.stderr)
    assert not migrated.execute(ADVISORY_LOCKS)


@pytest.mark.pgbouncer
def test_session_pooling_keeps_the_lock(migrated: Database, tmp_path: Path) -> None:
    """One backend for as long as the connection lives is as good as the server's own."""
    release = Release(tmp_path)
    release.add("0013_quick", sql("SELECT pg_sleep(3)"))
    release.bake()
    with PgBouncer(
        migrated.server, tmp_path, pool_mode="session", default_pool_size="6"
    ) as bouncer:
        ended = release.run(*MIGRATE, *DJANGO, url=bouncer.url(migrated.name, "shop_migrate"))
    assert json_of(ended)["result"] == "applied", ended.stderr
