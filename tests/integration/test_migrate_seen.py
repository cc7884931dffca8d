"""A migrate run as others see it: sidecars, Prometheus, a Pushgateway."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sidecar.databases.postgres import migrate_runs
from support import needs
from support.database import READER, Database
from support.pgbouncer import PgBouncer
from support.process import PATIENCE, Sidecar, until
from support.pushgateway import read_metrics, run_pushgateway
from support.release import Release, sql

MIGRATE = ("sidecar", "migrate")
DJANGO = ("--", "python", "manage.py", "migrate", "--noinput", "--verbosity=0")
COMMAND_SESSIONS = f"""
    SELECT state FROM pg_stat_activity WHERE application_name LIKE '{migrate_runs.COMMAND_NAME} %'
"""
ALTER = sql("ALTER TABLE orders_order ADD COLUMN extra int")


@pytest.fixture
def release(tmp_path: Path) -> Release:
    """A release whose one migration alters a table."""
    made = Release(tmp_path)
    made.add("0013_alter", ALTER)
    made.bake()
    return made


@contextmanager
def run_blocked(
    release: Release, database: Database, **variables: str
) -> Iterator["subprocess.Popen[str]"]:
    """Migrate while a reader's open transaction holds the table."""
    with database.server.connect(database.name) as reader:
        reader.execute("SET application_name = 'nightly report'")
        reader.execute("BEGIN; SELECT count(*) FROM orders_order")
        started = release.start(*MIGRATE, *DJANGO, url=database.migrator, **variables)
        yield started
    _, log = started.communicate(timeout=60 * PATIENCE)
    assert started.returncode == 0, log


def test_every_sidecar_reports_what_blocks_a_run(migrated: Database, release: Release) -> None:
    """The read-only role sees who blocks it and since when the run waits; no more than that."""
    manifest = release.bake()
    with Sidecar(manifest, url=migrated.reader) as sidecar, run_blocked(release, migrated):
        run: dict[str, Any] = {}

        def is_blocked() -> bool:
            run.update(sidecar.status()["targets"][0]["migrate"] or {})
            return bool(run.get("blocked_since"))

        until(is_blocked, "the sidecar sees that the run is blocked")
        (blocker,) = run["blockers"]
        assert blocker["application"] == "nightly report"
        assert (blocker["state"], blocker["since"]) == (None, None)
        _, verbose = sidecar.get("/readyz?verbose")
        assert ", blocked since " in verbose
        assert f"by pid {blocker['pid']} (nightly report)" in verbose
        assert "next: end what blocks the running migrate" in verbose


def test_with_pg_monitor_state_and_age_of_the_blocker_are_seen(
    migrated: Database, release: Release
) -> None:
    """PostgreSQL's role for monitoring may read all that pg_stat_activity has of it."""
    migrated.execute(f"GRANT pg_monitor TO {READER}")
    try:
        with (
            Sidecar(release.bake(), url=migrated.reader) as sidecar,
            run_blocked(release, migrated),
        ):
            until(
                lambda: (
                    "(nightly report, idle in transaction since "
                    in sidecar.get("/readyz?verbose")[1]
                ),
                "the sidecar shows the state and the age of the blocker",
            )
    finally:
        migrated.execute(f"REVOKE pg_monitor FROM {READER}")


def test_the_runner_logs_what_blocks_it(migrated: Database, release: Release) -> None:
    """Whoever reads the job's log learns why nothing moves."""
    with migrated.server.connect(migrated.name) as reader:
        reader.execute("SET application_name = 'nightly report'")
        reader.execute("BEGIN; SELECT count(*) FROM orders_order")
        started = release.start(*MIGRATE, *DJANGO, url=migrated.migrator)
        until(lambda: bool(migrated.execute("SELECT 1 FROM pg_locks WHERE NOT granted")), "blocked")
        assert started.stderr is not None
        lines = iter(started.stderr.readline, "")
        assert any("migrate is blocked: " in line and "nightly report" in line for line in lines)
        reader.execute("COMMIT")
    started.communicate(timeout=60 * PATIENCE)


def test_the_gate_opens_after_the_last_handler(database: Database, release: Release) -> None:
    """The last row is not the end: post_migrate handlers come after it, and are waited for."""
    manifest = release.bake()
    with Sidecar(manifest, url=database.reader) as sidecar:
        started = release.start(
            *MIGRATE, *DJANGO, url=database.migrator, EXAMPLE_HANDLER_SECONDS="2"
        )
        until(
            lambda: sidecar.get("/readyz")[1].strip() == "migrate_running", "the handlers are seen"
        )
        assert not database.execute("SELECT to_regclass('handled')::text")[0][0]
        until(sidecar.ready, "the gate opens")
        assert database.execute("SELECT count(*) FROM handled") == [(1,)]
        started.communicate(timeout=20 * PATIENCE)
        assert started.returncode == 0
        target = sidecar.status()["targets"][0]
    assert target["migrate"] is None
    assert target["batch"]["migrations"] >= 45
    assert target["batch"]["ended"] is not None


@pytest.mark.pgbouncer
def test_a_pooler_that_keeps_the_name_of_a_command_is_no_run(
    migrated: Database, release: Release, tmp_path: Path
) -> None:
    """PgBouncer lends a server's session on as the last client named it."""
    with (
        PgBouncer(migrated.server, tmp_path, pool_mode="transaction") as bouncer,
        Sidecar(release.bake(), url=migrated.reader) as sidecar,
    ):
        pooled = bouncer.url(migrated.name, "shop_migrate")
        command = ("--pgoptions=off", "--", "env", f"DATABASE_URL={pooled}", *DJANGO[1:])
        for _ in range(2):
            ended = release.run(*MIGRATE, "--lock-timeout=20s", *command, url=migrated.migrator)
            assert ended.returncode == 0, ended.stderr
            assert migrated.execute(COMMAND_SESSIONS) == [("idle",)]
            until(sidecar.ready, "the gate opens")


def test_a_slow_migration_shows_up_with_its_time(database: Database, release: Release) -> None:
    """Seen from a sidecar that only reads rows, within a fifth of the truth."""
    with Sidecar(release.bake(), url=database.reader) as sidecar:
        release.run(
            "python", "manage.py", "migrate", url=database.migrator, EXAMPLE_SLOW_SECONDS="2"
        )
        until(sidecar.ready, "the gate opens")
        timeline = sidecar.status()["targets"][0]["timeline"]
    seconds = {applied["migration"]: applied["seconds"] for applied in timeline}
    slow = seconds.pop("orders.0011_fill_order_totals")
    assert 2.0 <= slow < 2.4 + max(filter(None, seconds.values()))


@pytest.mark.prometheus
@pytest.mark.pushgateway
def test_a_run_pushes_its_metrics(migrated: Database, release: Release) -> None:
    """In a form that promtool accepts; a run with nothing to do pushes only its success."""
    promtool = needs.program("prometheus", "promtool")
    with run_pushgateway() as url:
        run = (*MIGRATE, f"--pushgateway={url}", *DJANGO)
        release.run(*run, url=migrated.migrator).check_returncode()
        text = read_metrics(url)
        labels = '{database="default",instance="",job="django_migrate"}'
        assert f"django_schema_migrate_last_run_success{labels} 1" in text
        assert f"django_schema_migrate_last_run_applied{labels} 1" in text
        checked = subprocess.run(
            [promtool, "check", "metrics"], check=False, input=text, capture_output=True, text=True
        )
        assert (checked.returncode, checked.stderr) == (0, "")
        release.run(*run, url=migrated.migrator).check_returncode()
        text = read_metrics(url)
        assert f"django_schema_migrate_last_run_success{labels} 1" in text
        assert "_applied" not in text


@pytest.mark.pushgateway
def test_a_failed_run_is_pushed(migrated: Database, release: Release) -> None:
    """A Pushgateway keeps what a job that has ended can no longer be asked for."""
    release.add("0014_bad", sql("SELECT 1/0"))
    release.bake()
    with run_pushgateway() as url:
        flags = (f"--pushgateway={url}", "--pushgateway-job=shop")
        ended = release.run(*MIGRATE, *flags, *DJANGO, url=migrated.migrator)
        metrics = read_metrics(url)
    assert ended.returncode == 1
    name = "django_schema_migrate_last_run_success"
    assert f'{name}{{database="default",instance="",job="shop"}} 0' in metrics
    assert 'job="shop"} 1' in metrics


@pytest.mark.pushgateway
def test_a_run_that_could_not_begin_is_pushed(migrated: Database, release: Release) -> None:
    """No success of an earlier run is left in the gateway."""
    with run_pushgateway() as url:
        flags = (f"--pushgateway={url}",)
        ended = release.run(*MIGRATE, *flags, "--", "no-such-command", url=migrated.migrator)
        metrics = read_metrics(url)
    assert ended.returncode == 127
    labels = '{database="default",instance="",job="django_migrate"}'
    assert f"django_schema_migrate_last_run_success{labels} 0" in metrics


def test_a_pushgateway_that_is_down_changes_nothing(migrated: Database, release: Release) -> None:
    """The run is what counts; a warning without the address, which may hold a password."""
    flags = ("--pushgateway=http://user:canary@127.0.0.1:1",)
    ended = release.run(*MIGRATE, *flags, *DJANGO, url=migrated.migrator)
    assert ended.returncode == 0
    assert "warning no metrics were pushed: " in ended.stderr
    assert "canary" not in ended.stderr
