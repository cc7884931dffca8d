"""`sidecar migrate`: what it runs, what it checks, what it reports."""

import subprocess
from pathlib import Path

import pytest

from sidecar.databases.postgres import migrate_runs
from support.database import Database
from support.process import PATIENCE
from support.release import Release, json_of, sql

MIGRATE = ("sidecar", "migrate", "--json=-", "--")
DJANGO = ("python", "manage.py", "migrate", "--noinput", "--verbosity=0")
NO_OP = ("python", "-c", "pass")


@pytest.fixture
def release(tmp_path: Path) -> Release:
    """A copy of the example project, baked."""
    made = Release(tmp_path)
    made.bake()
    return made


def test_applies_what_is_pending_and_reports_how_long_each_took(
    database: Database, release: Release
) -> None:
    """The report has every migration in order, the slow one with its own time."""
    ended = release.run(*MIGRATE, *DJANGO, url=database.migrator, EXAMPLE_SLOW_SECONDS="1")
    report = json_of(ended)
    assert (ended.returncode, report["result"], report["pending"]) == (0, "applied", [])
    seconds = {applied["migration"]: applied["seconds"] for applied in report["applied"]}
    assert len(seconds) == 50
    slow = seconds.pop("orders.0011_fill_order_totals")
    assert 1.0 <= slow < 1.2 + max(seconds.values())
    assert report["schema"] == "public"
    assert "applied orders.0012_order_archived in " in ended.stderr


def test_starts_no_django_when_nothing_is_pending(migrated: Database, release: Release) -> None:
    """Every replica may run it at start: with nothing to do, not even the command has to exist."""
    ended = release.run(*MIGRATE, "no-such-command", url=migrated.migrator)
    assert (ended.returncode, json_of(ended)["result"]) == (0, "nothing_to_do")
    assert "nothing to do: every migration is applied" in ended.stderr


def test_runs_the_command_for_an_unrecorded_squash(migrated: Database, release: Release) -> None:
    """Nothing is pending, but only migrate writes the row that the next release needs."""
    squash = "0001_squashed_0005_product_name_index"
    migrated.execute(f"DELETE FROM django_migrations WHERE name = '{squash}'")
    ended = release.run(*MIGRATE, *DJANGO, url=migrated.migrator)
    assert json_of(ended)["result"] == "applied"
    assert migrated.execute(f"SELECT 1 FROM django_migrations WHERE name = '{squash}'")


def test_fails_when_the_command_did_nothing(database: Database, release: Release) -> None:
    """A command that exits with 0 while migrations are pending has not migrated."""
    ended = release.run(*MIGRATE, *NO_OP, url=database.migrator)
    report = json_of(ended)
    assert (ended.returncode, report["result"]) == (10, "incomplete")
    assert report["failed"]["migration"] == "contenttypes.0001_initial"


def test_optional_migrations_may_stay_behind(migrated: Database, release: Release) -> None:
    """What need not precede traffic is run, and is not missed when it fails to appear."""
    release.add("0013_later", sql("SELECT 1"))
    release.bake()
    flags = ("--optional=orders.0013_*",)
    ended = release.run("sidecar", "migrate", *flags, "--", *NO_OP, url=migrated.migrator)
    assert ended.returncode == 0
    assert "1 pending" in ended.stderr


@pytest.mark.parametrize(
    ("atomic", "advice"),
    [(True, "it is atomic, so nothing of it is left"), (False, "it is not atomic, so a part")],
)
def test_a_failed_migration_is_named(
    migrated: Database, release: Release, *, atomic: bool, advice: str
) -> None:
    """The command's own code; what was applied before, what failed, and how to go on."""
    release.add("0013_good", sql("SELECT 1"))
    bad = release.add("0014_bad", sql("SELECT 1/0"), atomic=atomic)
    release.bake()
    ended = release.run(*MIGRATE, *DJANGO, url=migrated.migrator)
    report = json_of(ended)
    assert (ended.returncode, report["result"], report["attempts"]) == (1, "failed", 1)
    assert [applied["migration"] for applied in report["applied"]] == ["orders.0013_good"]
    assert report["failed"]["migration"] == bad
    assert report["failed"]["atomic"] is atomic
    assert "division by zero" in ended.stderr
    lines = ended.stderr.splitlines()
    assert lines[-2].endswith(
        "error the command failed with 1 after 1 migration, the last orders.0013_good, "
        "at orders.0014_bad"
    )
    assert f"next: {advice}" in lines[-1]


def test_a_mistake_in_a_migration_is_no_race(migrated: Database, release: Release) -> None:
    """Duplicate rows are not tried again and again, and no advice is given to fake what failed."""
    twice = "INSERT INTO django_site VALUES (1), (1)"
    release.add("0013_twice", sql(f"CREATE TABLE django_site (id int PRIMARY KEY); {twice}"))
    release.bake()
    ended = release.run(*MIGRATE, *DJANGO, url=migrated.migrator)
    report = json_of(ended)
    assert (report["attempts"], report["failed"]["why"]) == (1, "it met what it did not expect")
    assert "--fake" not in report["failed"]["next"]


def test_a_grandchild_that_holds_on_does_not_hold_us_up(
    migrated: Database, release: Release
) -> None:
    """The command's end is what counts, whoever keeps its standard error open."""
    release.add("0013_more", sql("SELECT 1"))
    release.bake()
    script = "sleep 30 >&- & exit 3"
    with release.start(*MIGRATE, "sh", "-c", script, url=migrated.migrator) as started:
        assert started.wait(15 * PATIENCE) == 3
        started.kill()
        subprocess.run(["pkill", "-f", "^sleep 30$"], check=False)
        started.communicate()


def test_a_run_that_could_not_begin_is_reported(database: Database, release: Release) -> None:
    """A wrong password or a missing command leaves a report with its exit code."""
    wrong = database.server.url(database.name, password="wrong")  # noqa: S106
    for url, command, code in (
        (wrong, "python", 20),
        (database.migrator, "no-such-command", 127),
    ):
        ended = release.run(*MIGRATE, command, url=url)
        report = json_of(ended)
        assert (ended.returncode, report["exit_code"], report["result"]) == (code, code, "failed")


def test_the_environment_holds_the_statement_timeouts(database: Database, release: Release) -> None:
    """They reach the command as PGOPTIONS, after what the environment already held."""
    show = "import os; print(os.environ['PGOPTIONS'] + ';' + os.environ['PGAPPNAME'])"
    ended = release.run(
        *("sidecar", "migrate", "--lock-timeout-per-statement=2s", "--statement-timeout=1m"),
        *("--", "python", "-c", show),
        url=database.migrator,
        PGOPTIONS="-c work_mem=8MB",
    )
    options, name = ended.stdout.strip().split(";")
    assert options == (
        "-c work_mem=8MB -c client_connection_check_interval=1s "
        "-c lock_timeout=2000 -c statement_timeout=60000"
    )
    assert name.startswith(f"{migrate_runs.COMMAND_NAME} ")


def test_statement_timeouts_can_be_kept_from_the_command(
    database: Database, release: Release
) -> None:
    """Where a pooler between the command and the server refuses them."""
    show = "import os; print(os.environ.get('PGOPTIONS'))"
    ended = release.run(
        "sidecar", "migrate", "--pgoptions=off", "--", "python", "-c", show, url=database.migrator
    )
    assert ended.stdout.strip() == "None"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--", "no-such-command"), 127, "no-such-command: command not found"),
        (("--", "."), 126, ".: Permission denied"),
        (("--retries=many",), 64, "--retries"),
        (("--manifest=gone.json",), 65, "gone.json: no manifest there"),
    ],
)
def test_invalid_arguments_are_refused(
    database: Database, release: Release, arguments: tuple[str, ...], code: int, message: str
) -> None:
    """One line, and the exit code of the design."""
    ended = release.run("sidecar", "migrate", *arguments, url=database.migrator)
    assert (ended.returncode, "Traceback" in ended.stderr) == (code, False)
    assert message in ended.stderr.splitlines()[-1]


def test_a_refused_password_ends_it_at_once(database: Database, release: Release) -> None:
    """Waiting fixes no password, and none is shown."""
    url = database.server.url(database.name, password="canary")  # noqa: S106
    ended = release.run("sidecar", "migrate", "--", *DJANGO, url=url)
    assert ended.returncode == 20
    assert "canary" not in ended.stderr


def test_waits_for_a_database_that_starts_later(database: Database, release: Release) -> None:
    """In compose the database and the job start together."""
    url = database.migrator.replace(f":{database.server.port}/", ":1/")
    flags = ("--lock-timeout=1s",)
    ended = release.run("sidecar", "migrate", *flags, "--", *DJANGO, url=url)
    assert ended.returncode == 124
    assert "waiting for the database" in ended.stderr


def test_imports_little_when_nothing_is_pending(migrated: Database, release: Release) -> None:
    """Nothing that it imports is Django, or serves HTTP, or draws."""
    code = (
        "import sys; sys.argv = ['sidecar', 'migrate']\n"
        "from sidecar.cli import main; code = main()\n"
        "print({'django', 'aiohttp', 'tqdm', 'prometheus_client'} & set(sys.modules))\n"
        "sys.exit(code)"
    )
    ended = release.run("python", "-c", code, url=migrated.migrator)
    assert (ended.returncode, ended.stdout) == (0, "set()\n")
