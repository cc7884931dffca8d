"""Several databases of one project, as Django's DATABASES names them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support import project
from support.database import Database, add_database
from support.postgres import Server
from support.process import Sidecar, until

ROUTED = "SIDECAR_DATABASE_URL_SESSIONS"


@pytest.fixture
def sessions(server: Server, database: Database) -> Database:
    """A second database, for sessions."""
    return add_database(server, f"{database.name}_sessions")


@pytest.fixture
def manifest(tmp_path: Path, sessions: Database) -> Path:
    """The example's manifest, baked with its second database configured."""
    path = tmp_path / "manifest.json"
    command = [project.sidecar(), "bake", "--settings", "storefront.settings", "-o", str(path)]
    environment = project.environment(SESSIONS_DATABASE_URL=sessions.migrator)
    subprocess.run(command, check=True, cwd=project.APP, env=environment, capture_output=True)
    return path


def check(
    manifest: Path, database: Database, *flags: str, **variables: str
) -> "subprocess.CompletedProcess[str]":
    """Run `sidecar check --json`."""
    return subprocess.run(
        [project.sidecar(), "check", "--json", f"--manifest={manifest}", *flags],
        check=False,
        env=project.environment(DATABASE_URL=database.reader, **variables),
        capture_output=True,
        text=True,
        cwd=manifest.parent,
    )


def migrate(database: Database, sessions: Database, alias: str) -> None:
    """Migrate one of the two."""
    database.migrate(f"--database={alias}", SESSIONS_DATABASE_URL=sessions.migrator)


def test_a_router_keeps_tables_away_and_not_rows(
    database: Database, sessions: Database, manifest: Path
) -> None:
    """Every alias that is migrated holds every row, so each is compared with the same manifest."""
    migrate(database, sessions, "default")
    migrate(database, sessions, "sessions")
    assert sessions.execute("SELECT to_regclass('orders_order')") == [(None,)]
    found = json.loads(check(manifest, database, **{ROUTED: sessions.reader}).stdout)
    assert [(t["database"], t["verdict"]) for t in found["targets"]] == [
        ("default", "current"),
        ("sessions", "current"),
    ]


def test_the_gate_is_ready_when_every_database_is(
    database: Database, sessions: Database, manifest: Path
) -> None:
    """One that is migrated does not open a gate that also depends on another."""
    migrate(database, sessions, "default")
    with Sidecar(manifest, url=database.reader, **{ROUTED: sessions.reader}) as sidecar:
        until(lambda: sidecar.get("/readyz")[1].startswith("schema_behind"), "one is behind")
        verbose = sidecar.get("/readyz?verbose")[1]
        assert "[+]default ok" in verbose
        assert "[-]sessions schema_behind: 45 pending" in verbose
        migrate(database, sessions, "sessions")
        until(sidecar.ready, "the gate opens")
        assert 'django_schema_up{database="sessions"} 1.0' in sidecar.get("/metrics")[1]


def test_one_that_is_down_does_not_slow_the_others(
    database: Database, sessions: Database, manifest: Path
) -> None:
    """Each database has its own rhythm: the other's last migration is seen at once."""
    dead = sessions.reader.replace(f":{sessions.server.port}/", ":1/")
    with Sidecar(manifest, url=database.reader, **{ROUTED: dead}) as sidecar:
        until(lambda: sidecar.status()["targets"][1]["reason"] == "database_unreachable", "down")
        migrate(database, sessions, "default")
        current = until(
            lambda: sidecar.status()["targets"][0]["verdict"] == "current", "default is current"
        )
        assert current < 5
        assert sidecar.get("/readyz") == (503, "database_unreachable\n")


def test_one_of_two_that_blinks_holds_the_gate_open(
    database: Database, sessions: Database, manifest: Path
) -> None:
    """A failed read of one database holds the gate; reads of the other confirm nothing."""
    for alias in ("default", "sessions"):
        migrate(database, sessions, alias)
    watch = ("--interval=200ms",)
    with Sidecar(manifest, *watch, url=database.reader, **{ROUTED: sessions.reader}) as sidecar:
        until(sidecar.ready, "the gate opens")
        sessions.server.execute(f"ALTER DATABASE {sessions.name} ALLOW_CONNECTIONS false")
        kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        sessions.server.execute(f"{kill} WHERE datname = '{sessions.name}'")
        until(lambda: sidecar.status()["phase"] == "holding", "the gate holds")
        assert sidecar.ready()
        sessions.server.execute(f"ALTER DATABASE {sessions.name} ALLOW_CONNECTIONS true")
        until(lambda: sidecar.status()["phase"] == "open", "the gate is open again")


def test_a_database_may_be_optional(database: Database, sessions: Database, manifest: Path) -> None:
    """`optional` names targets as alias:schema."""
    migrate(database, sessions, "default")
    ended = check(manifest, database, "--optional=sessions:*", **{ROUTED: sessions.reader})
    assert ended.returncode == 0
    assert json.loads(ended.stdout)["targets"][1]["required"] is False


def test_the_settings_file_names_databases(
    database: Database, sessions: Database, manifest: Path, tmp_path: Path
) -> None:
    """The settings file has a table for each database, with its URL and its password file."""
    migrate(database, sessions, "default")
    migrate(database, sessions, "sessions")
    bare, _, password = sessions.reader.partition("://")[2].partition(":")
    secret = tmp_path / "password"
    secret.write_text("swordfish & co/100%\n")
    url = f"postgresql://{bare}@{password.rpartition('@')[2]}"
    config = tmp_path / "sidecar.toml"
    config.write_text(f'[databases.sessions]\nurl = "{url}"\npassword_file = "{secret}"\n')
    ended = check(manifest, database, f"--config={config}")
    assert ended.returncode == 0, ended.stdout
    assert len(json.loads(ended.stdout)["targets"]) == 2


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        ("SIDECAR_DATABASE_URL_ANALYTICS", "the manifest has no database analytics"),
        ("SIDECAR_PASSWORD_FILE_SESSIONS", "has a password file and no URL"),
    ],
)
def test_a_variable_that_names_no_database_is_refused(
    database: Database, manifest: Path, variable: str, message: str
) -> None:
    """A typo in an alias must not leave a database unwatched."""
    ended = check(manifest, database, **{variable: "postgresql://u:canary@h/d"})
    assert (ended.returncode, message in ended.stderr) == (64, True)
    assert "canary" not in ended.stderr


def test_the_default_database_is_not_left_unwatched_by_mistake(
    database: Database, sessions: Database, manifest: Path
) -> None:
    """An empty DATABASE_URL beside an alias is refused, unless the default is optional."""
    migrate(database, sessions, "sessions")
    words = [project.sidecar(), "check", f"--manifest={manifest}"]
    env = project.environment(DATABASE_URL="", **{ROUTED: sessions.reader})
    ended = subprocess.run(words, check=False, env=env, capture_output=True, text=True)
    assert (ended.returncode, "the default database has no URL" in ended.stderr) == (64, True)
    env["SIDECAR_OPTIONAL"] = "default:*"
    assert subprocess.run(words, check=False, env=env, capture_output=True).returncode == 0


def test_migrate_takes_care_of_the_alias_that_it_is_given(
    database: Database, sessions: Database, manifest: Path
) -> None:
    """`--database sessions` reads that database, and passes it on to Django."""
    migrate(database, sessions, "default")
    ended = subprocess.run(
        [project.sidecar(), "migrate", f"--manifest={manifest}", "--database=sessions"],
        check=False, cwd=project.APP, capture_output=True, text=True,
        env=project.environment(
            DATABASE_URL=database.migrator, SESSIONS_DATABASE_URL=sessions.migrator,
            **{ROUTED: sessions.migrator},
        ) | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert "migrating: 45 pending" in ended.stderr
    assert check(manifest, database, **{ROUTED: sessions.reader}).returncode == 0


def test_schemas_of_a_database_that_is_not_there_are_refused(
    database: Database, manifest: Path
) -> None:
    """A typo in an alias must not leave its schemas unwatched."""
    ended = check(manifest, database, "--schemas=public,sesions:public")
    assert (ended.returncode, "schemas names the database sesions" in ended.stderr) == (64, True)
