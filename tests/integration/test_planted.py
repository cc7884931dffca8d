"""Nothing that a stranger made is called by our SQL, which runs with the rights of two roles."""

import asyncio
from pathlib import Path

import psycopg
import pytest

from sidecar.databases.base import Address
from sidecar.databases.postgres import many_schemas_rows
from sidecar.databases.postgres.many_schemas import PostgresSchemas
from support.database import MIGRATOR, READER, Database, add_database
from support.planted import plant
from support.postgres import PASSWORD, Server
from support.process import PATIENCE, Sidecar, until
from support.release import Ended, Release, json_of

OURS = (
    *("set_config('search_path'", "string_agg(", "WITH ORDINALITY", "ORDER BY id DESC"),
    *("AS elsewhere", "pg_blocking_pids(", "pg_try_advisory_lock(", "pg_backend_pid()"),
    *("state_change >", "AS signature", "AS counters", "array_agg(number)"),
    *("AccessExclusiveLock", "pg_postmaster_start_time("),
)
"""A part of each query that we send."""

UNAPPLY = "DELETE FROM public.django_migrations WHERE name OPERATOR(pg_catalog.=) '{}'"
LEAF = "0012_order_archived"
RECORD = f"""
import os, psycopg
with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
    connection.execute(
        "INSERT INTO public.django_migrations (app, name, applied)"
        " VALUES ('orders', '{LEAF}', pg_catalog.now())"
    )
"""


def test_nothing_that_was_planted_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever fits our SQL better than PostgreSQL's own, in all schemas of the search_path."""
    monkeypatch.setattr(many_schemas_rows, "MANY", 1)
    release = Release(tmp_path)
    with Server(log_statement="all") as server:
        database = add_database(server, "shop")
        database.migrate()
        for tenant in ("tenant_1", "tenant_2"):
            database.execute(f"CREATE SCHEMA {tenant}; GRANT USAGE ON SCHEMA {tenant} TO PUBLIC")
            database.execute(f"CREATE TABLE {tenant}.django_migrations AS TABLE django_migrations")
            database.execute(f"GRANT SELECT ON {tenant}.django_migrations TO PUBLIC")
        honest = use(database, release)
        log = (server.data / "log").read_text()
        assert [part for part in OURS if part not in log] == []
        plant_everywhere(database, log)
        before = len((server.data / "log").read_text())
        assert use(database, release) == honest
        log = (server.data / "log").read_text()[before:]
        assert [line for line in log.splitlines() if "ERROR:  planted" in line] == []
    assert honest[:3] == [10, ["applied", "nothing_to_do"], True]


def plant_everywhere(database: Database, log: str) -> None:
    """Let a stranger own what both roles find before PostgreSQL's own."""
    server = database.server
    server.execute(f"CREATE ROLE stranger LOGIN PASSWORD '{PASSWORD}'")
    database.execute("CREATE SCHEMA listed AUTHORIZATION stranger")
    database.execute("GRANT USAGE ON SCHEMA listed TO PUBLIC")
    database.execute("GRANT CREATE ON SCHEMA public TO stranger")
    with psycopg.connect(server.url("shop", "stranger"), autocommit=True) as stranger:
        for schema in ("listed", "public"):
            assert plant(stranger, schema, log) > 1000
    for role in (READER, MIGRATOR):
        path = "listed, public, pg_catalog"
        server.execute(f"ALTER ROLE {role} IN DATABASE shop SET search_path = {path}")
        with (
            psycopg.connect(server.url("shop", role)) as victim,
            pytest.raises(psycopg.errors.RaiseException, match="planted: an operator"),
        ):
            victim.execute("SELECT 1 = 1")


def use(database: Database, release: Release) -> list[object]:
    """Check, serve, migrate twice at a time, and read many schemas; return what came of it."""
    manifest = release.bake()
    database.execute(UNAPPLY.format(LEAF))
    found: list[object] = [release.run("sidecar", "check", url=database.reader).returncode]
    migrate = ("sidecar", "migrate", "--json=-", "--", "python", "-c", RECORD)
    with Sidecar(manifest, url=database.reader) as sidecar:

        def run() -> dict[str, object]:
            shown: dict[str, object] = sidecar.status()["targets"][0]["migrate"] or {}
            return shown

        with database.server.connect(database.name) as other, other.transaction():
            other.execute("LOCK TABLE public.django_migrations IN SHARE MODE")
            started = [release.start(*migrate, url=database.migrator)]
            until(lambda: bool(run().get("blockers")), "the run is blocked")
            started.append(release.start(*migrate, url=database.migrator))
            until(lambda: run().get("waiting") == 1, "another one waits")
        results = []
        for one in started:
            out, err = one.communicate(timeout=60 * PATIENCE)
            results.append(json_of(Ended(one.args, one.returncode, out, err))["result"])
        found.append(results)
        until(sidecar.ready, "the gate opens")
        found.append(True)
    absent = release.run("sidecar", "check", "--schemas=nobody", url=database.reader)
    return [*found, absent.returncode, *asyncio.run(read_locked(database))]


async def read_locked(database: Database) -> list[object]:
    """Return what is read of many schemas of which another session has locked one."""
    schemas = PostgresSchemas(Address(url=database.reader, schemas=("all",), read_timeout=2))
    with database.server.connect(database.name) as other, other.transaction():
        other.execute("LOCK TABLE tenant_1.django_migrations")
        reads = [await schemas.read() for _ in range(2)]
    await schemas.release()
    return [(one.schemas, one.failure, one.text) for read in reads for one in read.groups()]
