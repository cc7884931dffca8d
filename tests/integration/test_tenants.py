"""Many schemas of one database, as django-tenants makes them."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from support import project
from support.database import Database
from support.process import PATIENCE, Sidecar, until
from support.tenants import PROJECT, Tenants

WATCH = ("--schemas=public,tenant_*", "--interval=300ms")


@pytest.fixture
def tenants(database: Database) -> Tenants:
    """The project with two tenants."""
    made = Tenants(database)
    made.create("tenant_a", "tenant_b")
    return made


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """The manifest of the tenants' project."""
    return Tenants.bake(tmp_path)


def check(manifest: Path, url: str, *flags: str) -> tuple[int, dict[str, Any]]:
    """Run `sidecar check --json`; return its code and its object."""
    ended = subprocess.run(
        [project.sidecar(), "check", "--json", f"--manifest={manifest}", *flags],
        check=False, env=project.environment(DATABASE_URL=url), capture_output=True, text=True,
    )  # fmt: skip
    return ended.returncode, json.loads(ended.stdout)


def test_schemas_with_the_same_rows_are_one_target(tenants: Tenants, manifest: Path) -> None:
    """Public and every tenant hold all rows, so there is one set of them, and one comparison."""
    code, found = check(manifest, tenants.database.reader, "--schemas=public,tenant_*")
    (target,) = found["targets"]
    assert (code, target["count"]) == (0, 3)
    assert target["schemas"] == ["public", "tenant_a", "tenant_b"]


@pytest.mark.parametrize(
    "flags",
    [
        ("--schemas=all",),
        ("--schemas=tenant_a,tenant_b,public",),
        ("--schemas-query=SELECT schema_name FROM customers_client", "--schemas=public"),
    ],
)
def test_schemas_are_chosen_by_name_pattern_or_query(
    tenants: Tenants, manifest: Path, flags: tuple[str, ...]
) -> None:
    """A list, all that have the table, or what a query of the tenants returns."""
    code, found = check(manifest, tenants.database.migrator, *flags)
    assert (code, found["targets"][0]["count"]) == (0, 3)


def test_a_tenant_that_is_behind_is_named(tenants: Tenants, manifest: Path) -> None:
    """One tenant of many keeps the gate closed, and everybody can read which."""
    tenants.back("tenant_b")
    code, found = check(manifest, tenants.database.reader, "--schemas=public,tenant_*")
    by_verdict = {target["verdict"]: target for target in found["targets"]}
    assert code == 10
    assert by_verdict["behind"]["schemas"] == ["tenant_b"]
    assert by_verdict["behind"]["pending"] == ["shop.0002_price"]
    assert by_verdict["current"]["count"] == 2


def test_the_gate_opens_with_the_last_tenant(tenants: Tenants, manifest: Path) -> None:
    """/readyz, /status and the metrics show how many wait, and open when none does."""
    tenants.back("tenant_b")
    with Sidecar(manifest, *WATCH, url=tenants.database.reader) as sidecar:
        until(lambda: sidecar.get("/readyz")[1].startswith("schema_behind"), "one is behind")
        lines = sidecar.get("/readyz?verbose")[1].splitlines()
        assert "[-]default tenant_b schema_behind: 1 pending, next shop.0002_price" in lines
        assert "[+]default 2 schemas (public, tenant_a) ok" in lines
        metrics = sidecar.get("/metrics")[1]
        assert 'django_schema_targets{database="default",status="behind"} 1.0' in metrics
        assert 'django_schema_targets{database="default",status="current"} 2.0' in metrics
        assert "tenant_" not in metrics
        tenants.manage("migrate_schemas", "--tenant")
        until(sidecar.ready, "the gate opens")


def test_a_tenant_made_behind_an_open_gate_does_not_close_it(
    tenants: Tenants, manifest: Path
) -> None:
    """Its first migrations run while the others are served; it counts once it is current."""
    with Sidecar(manifest, *WATCH, url=tenants.database.reader) as sidecar:
        until(sidecar.ready, "the gate opens")
        making = tenants.start("shell", "-c", MAKE_C, SLOW_SECONDS="3")
        until(lambda: behind(sidecar) == ["tenant_c"], "the new tenant is seen")
        while making.poll() is None:
            assert sidecar.ready()
            time.sleep(0.05)
        until(lambda: not behind(sidecar), "the new tenant is current")
        tenants.back("tenant_c")
        until(lambda: not sidecar.ready(), "now it counts as the others do")


MAKE_C = "from customers.models import Client; Client(schema_name='tenant_c', name='c').save()"


def behind(sidecar: Sidecar) -> list[str]:
    """Return the schemas that are behind."""
    targets = sidecar.status()["targets"]
    return [name for t in targets if t["verdict"] == "behind" for name in t["schemas"]]


def test_a_tenant_that_vanishes_is_not_missed(tenants: Tenants, manifest: Path) -> None:
    """Its schema is dropped with it, between two reads or in the middle of one."""
    with Sidecar(manifest, *WATCH, url=tenants.database.reader) as sidecar:
        until(sidecar.ready, "the gate opens")
        tenants.database.execute("DROP SCHEMA tenant_a CASCADE")
        until(lambda: sidecar.status()["targets"][0]["count"] == 2, "one is gone")
        assert sidecar.ready()


def test_a_regression_of_one_tenant_closes_the_gate(tenants: Tenants, manifest: Path) -> None:
    """A tenant that was served and is behind now is a regression like any other."""
    with Sidecar(manifest, *WATCH, url=tenants.database.reader) as sidecar:
        until(sidecar.ready, "the gate opens")
        tenants.back("tenant_a")
        until(lambda: not sidecar.ready(), "the gate closes")
        tenants.manage("migrate_schemas", "--tenant")
        until(sidecar.ready, "the gate opens again")


def test_the_parallel_executor_killed_half_way(tenants: Tenants, manifest: Path) -> None:
    """Whatever it left behind is named, and the next run opens the gate."""
    for tenant in ("tenant_a", "tenant_b"):
        tenants.back(tenant)
    with Sidecar(manifest, *WATCH, url=tenants.database.reader) as sidecar:
        until(lambda: behind(sidecar) == ["tenant_a", "tenant_b"], "both are behind")
        running = tenants.start(
            "migrate_schemas", "--tenant", "--executor=multiprocessing", SLOW_SECONDS="30"
        )
        sleeping = f"SELECT 1 FROM pg_stat_activity WHERE datname = '{tenants.database.name}'"
        query = f"{sleeping} AND query ~ 'pg_sleep' AND pid <> pg_backend_pid()"
        until(lambda: bool(tenants.database.execute(query)), "a tenant is being migrated")
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.wait(20 * PATIENCE)
        tenants.database.execute(query.replace("SELECT 1", "SELECT pg_terminate_backend(pid)"))
        assert not sidecar.ready()
        assert behind(sidecar) == ["tenant_a", "tenant_b"]
        tenants.manage("migrate_schemas", "--tenant", "--executor=multiprocessing")
        until(sidecar.ready, "the gate opens")


def test_an_empty_schema_is_pending_or_ignored(tenants: Tenants, manifest: Path) -> None:
    """A schema in which nothing was ever migrated may be a tenant or none; a setting decides."""
    tenants.database.execute("CREATE SCHEMA tenant_empty")
    tenants.database.execute("GRANT USAGE ON SCHEMA tenant_empty TO sidecar_reader")
    watch = "--schemas=public,tenant_*"
    assert check(manifest, tenants.database.reader, watch)[0] == 10
    ignored = check(manifest, tenants.database.reader, watch, "--empty-schemas=ignore")
    assert ignored[0] == 0
    assert [t["required"] for t in ignored[1]["targets"] if "required" in t] == [False]


def test_a_tenant_that_may_not_be_read_is_named(tenants: Tenants, manifest: Path) -> None:
    """The others are read all the same; of this one the gate knows nothing."""
    tenants.database.execute("REVOKE USAGE ON SCHEMA tenant_a FROM sidecar_reader")
    code, found = check(manifest, tenants.database.reader, "--schemas=public,tenant_*")
    denied = next(target for target in found["targets"] if target["verdict"] == "unknown")
    assert (code, denied["reason"], denied["schemas"]) == (20, "database_denied", ["tenant_a"])


def test_migrate_checks_every_tenant(tenants: Tenants, manifest: Path) -> None:
    """One lock for the database; nothing to do only when no tenant has anything to do."""
    tenants.back("tenant_b")
    command = (sys.executable, "manage.py", "migrate_schemas", "--verbosity=0")
    reports = [
        subprocess.run(
            [project.sidecar(), "migrate", f"--manifest={manifest}", WATCH[0], "--", *command],
            check=True, cwd=PROJECT, capture_output=True, text=True,
            env=project.environment(DATABASE_URL=tenants.database.migrator),
        ).stderr
        for _ in range(2)
    ]  # fmt: skip
    assert "migrating: 1 pending, next shop.0002_price" in reports[0]
    assert "nothing to do" in reports[1]


def test_optional_tenants_do_not_hold_up_the_others(tenants: Tenants, manifest: Path) -> None:
    """`optional` names targets as alias:schema."""
    tenants.back("tenant_b")
    flags = ("--schemas=public,tenant_*", "--optional=default:tenant_b")
    assert check(manifest, tenants.database.reader, *flags)[0] == 0


def test_schemas_that_are_not_there_are_not_current(tenants: Tenants, manifest: Path) -> None:
    """A pattern that matches nothing is a mistake, and must not open a gate."""
    code, found = check(manifest, tenants.database.reader, "--schemas=tenantz_*")
    assert (code, found["targets"][0]["note"]) == (10, "no schema of tenantz_* is there")
