"""docs/ci.md, as a team would copy it; and the way back from a release."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support import project
from support.database import Database

ADDED = ("0010_order_total", "0011_fill_order_totals", "0012_order_archived")


@pytest.fixture
def old_release(tmp_path: Path) -> Path:
    """The example project as it was three migrations of `orders` ago."""
    copy = tmp_path / "old"
    shutil.copytree(project.APP, copy)
    for name in ADDED:
        (copy / "orders" / "migrations" / f"{name}.py").unlink()
    return copy


def pipeline() -> str:
    page = (project.REPOSITORY / "docs" / "ci.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"## Plain shell.*?```sh\n(.*?)```", page, re.DOTALL)
    return str(script)


def run(script: str, folder: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run a shell script as a pipeline would: with `python` and `sidecar` on the PATH."""
    environment = project.environment(SETTINGS="storefront.settings", RELEASE="2.0", **variables)
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    return subprocess.run(
        ["sh", "-c", script],
        check=False, cwd=folder, env=environment, capture_output=True, text=True,
    )  # fmt: skip


def test_the_pipeline_of_the_docs_runs(
    database: Database, old_release: Path, manifest: Path, tmp_path: Path
) -> None:
    """The script of docs/ci.md bakes, compares, migrates, rolls back, and migrates again."""
    old = tmp_path / "old.json"
    project.bake(old, "--release=1.0", "--no-model-check", app=old_release).check_returncode()
    new = tmp_path / "new"
    shutil.copytree(project.APP, new)
    # `orders.0010` adds a column that old code cannot fill; that is for somebody to allow.
    refused = run(pipeline(), new, OLD=str(old), DATABASE_URL=database.migrator)
    assert refused.returncode == 70
    assert refused.stdout.endswith("the deploy is not allowed: breaking\n")
    passed = run(pipeline(), new, OLD=str(old), DATABASE_URL=database.migrator, ALLOW="breaking")
    assert passed.returncode == 0, passed.stderr
    assert "1.0 -> 2.0: 3 migrations to run" in passed.stdout
    assert "+ python manage.py migrate --noinput orders 0009_shipment" in passed.stderr
    assert passed.stdout.count("\nnext: nothing to do") == 3
    assert manifest.exists()


def test_an_edited_migration_stops_the_pipeline(database: Database, tmp_path: Path) -> None:
    """What was changed after release never reaches a database."""
    copy = tmp_path / "new"
    shutil.copytree(project.APP, copy)
    old = tmp_path / "old.json"
    project.bake(old, app=copy).check_returncode()
    edited = copy / "accounts" / "migrations" / "0002_address.py"
    text = edited.read_text()
    edited.write_text(text.replace("max_length=", "max_length=1 + ", 1))
    assert text != edited.read_text()
    flags = "sidecar bake --no-model-check --settings"
    script = pipeline().replace("sidecar bake --settings", flags)
    ended = run(script, copy, OLD=str(old), DATABASE_URL=database.migrator)
    assert ended.returncode == 70
    assert "edited after release: accounts.0002_address" in ended.stdout


def test_rollback_refuses_what_django_cannot_undo(tmp_path: Path, old_release: Path) -> None:
    """An irreversible migration is named, with the manual step that is owed."""
    copy = tmp_path / "new"
    shutil.copytree(project.APP, copy)
    leaf = copy / "orders" / "migrations" / "0011_fill_order_totals.py"
    leaf.write_text(leaf.read_text().replace(", migrations.RunPython.noop", ""))
    for name, app in (("old", old_release), ("new", copy)):
        project.bake(tmp_path / f"{name}.json", "--no-model-check", app=app).check_returncode()
    ended = run("sidecar diff --rollback new.json old.json", tmp_path)
    assert (ended.returncode, ended.stdout) == (70, "")
    assert "orders.0011_fill_order_totals cannot be undone by Django" in ended.stderr


def test_a_dump_is_checked_without_a_database(migrated: Database, manifest: Path) -> None:
    """The rows as psql --csv writes them give the same answer as the database."""
    migrated.migrate("orders", "0011")
    psql = migrated.server._programs / "psql"
    script = (
        f"'{psql}' --csv -c 'SELECT id, app, name FROM django_migrations' '{migrated.reader}'"
        f" | sidecar check --manifest {manifest} --applied -"
    )
    ended = run(script, manifest.parent)
    assert ended.returncode == 10
    assert "1  orders.0012_order_archived  AddField order.archived" in ended.stdout
    explained = run(f"{script} --explain orders.0012_order_archived", manifest.parent)
    assert explained.stdout.startswith("orders.0012_order_archived is pending (1 of 1 in the plan)")
