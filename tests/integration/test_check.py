"""`sidecar check`: one look, one answer, one exit code."""

import json
import os
import pty
import shlex
import subprocess
from pathlib import Path

import pytest

from support import project
from support.database import Database

NEWER = "INSERT INTO django_migrations (app, name, applied) VALUES ('orders', '0099_x', now())"


def check(manifest: Path, url: str, *flags: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [project.sidecar(), "check", f"--manifest={manifest}", *flags],
        check=False,
        env=project.environment(DATABASE_URL=url),
        cwd=manifest.parent,
        capture_output=True,
        text=True,
    )


def test_current_is_zero(migrated: Database, manifest: Path) -> None:
    """A migrated database gives 0, and a last line that says there is nothing to do."""
    ended = check(manifest, migrated.reader)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "default   public  current  45 of 45  20" in ended.stdout
    assert ended.stdout.endswith("\nschema_current\nnext: nothing to do\n")


@pytest.mark.parametrize("flag", ["", "--json"])
@pytest.mark.parametrize(("stream", "encoding"), [(">&-", "utf-8"), ("| cat", "ascii")])
def test_the_code_counts_whatever_the_stream_can_write(
    migrated: Database, tmp_path: Path, flag: str, stream: str, encoding: str
) -> None:
    """Neither a closed output nor a release with letters of its own ends a check."""
    manifest = tmp_path / "manifest.json"
    project.bake(manifest, "--release=é☃").check_returncode()
    command = shlex.join([project.sidecar(), "check", f"--manifest={manifest}"])
    line = f"set -o pipefail; {command} {flag} {stream}"
    env = project.environment(DATABASE_URL=migrated.reader, PYTHONIOENCODING=encoding)
    ended = subprocess.run(["bash", "-c", line], check=False, env=env, capture_output=True)
    assert (ended.returncode, ended.stderr) == (0, b"")
    if flag and encoding == "ascii":
        assert json.loads(ended.stdout)["release"] == "é☃"


def test_behind_is_ten_and_names_what_is_pending(migrated: Database, manifest: Path) -> None:
    """The pending migrations stand in plan order, each with its operations."""
    migrated.migrate("orders", "0010")
    ended = check(manifest, migrated.reader)
    assert ended.returncode == 10
    assert "1  orders.0011_fill_order_totals  RunPython fill_totals, " in ended.stdout
    assert "2  orders.0012_order_archived     AddField order.archived" in ended.stdout
    assert ended.stdout.endswith("next: apply the migrations: python manage.py migrate\n")


def test_json_is_one_object_with_the_documented_fields(migrated: Database, manifest: Path) -> None:
    """Scripts find ready, verdict, reason, release, manifest and targets, names and all."""
    migrated.migrate("orders", "0011")
    ended = check(manifest, migrated.reader, "--json")
    document = json.loads(ended.stdout)
    assert (document["ready"], document["verdict"], document["release"]) == (False, "behind", "1.0")
    assert document["manifest"].startswith("sha256:")
    (target,) = document["targets"]
    assert (target["database"], target["schema"]) == ("default", "public")
    assert (target["expected"], target["applied"]) == (45, 44)
    assert target["pending"] == target["plan"] == [project.LEAF]
    assert target["last_applied"].endswith("Z")


def test_ahead_is_zero_or_eleven(migrated: Database, manifest: Path) -> None:
    """Ahead is ready unless --strict or the policy says otherwise."""
    migrated.execute(NEWER)
    assert check(manifest, migrated.reader).returncode == 0
    assert check(manifest, migrated.reader, "--strict").returncode == 11
    assert check(manifest, migrated.reader, "--on-ahead=not_ready").returncode == 11


def test_inconsistent_is_twelve_after_a_second_look(migrated: Database, manifest: Path) -> None:
    """A dependency without a row is what Django's migrate refuses; both names are shown."""
    migrated.execute("DELETE FROM django_migrations WHERE name = '0010_order_total'")
    ended = check(manifest, migrated.reader)
    assert ended.returncode == 12
    refused = "refused  orders.0011_fill_order_totals is applied before orders.0010_order_total"
    assert refused in ended.stdout


@pytest.mark.parametrize(("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colour_is_for_terminals(
    migrated: Database, manifest: Path, variables: dict[str, str], *, coloured: bool
) -> None:
    """On a terminal the answer has colours, unless NO_COLOR is set; elsewhere it never has."""
    ours, theirs = pty.openpty()
    environment = project.environment(DATABASE_URL=migrated.reader, TERM="xterm", **variables)
    with os.fdopen(ours, "rb", buffering=0) as screen:
        command = [project.sidecar(), "check", f"--manifest={manifest}"]
        subprocess.run(command, check=True, env=environment, stdout=theirs)
        os.close(theirs)
        assert (b"\x1b[" in screen.read(65536)) is coloured
    assert "\x1b" not in check(manifest, migrated.reader).stdout


def test_unreachable_is_twenty(manifest: Path) -> None:
    """A database that cannot be read is no verdict; JSON says unknown and why."""
    ended = check(manifest, "postgres://u:p@127.0.0.1:1/db", "--json")
    assert ended.returncode == 20
    (target,) = json.loads(ended.stdout)["targets"]
    assert target["verdict"] == "unknown"
    assert target["reason"] == "database_unreachable"
    assert "pending" not in target


def test_an_absent_table_is_said(database: Database, manifest: Path) -> None:
    """Before the first migrate everything is pending, and the missing table is the reason."""
    database.execute("DROP TABLE django_migrations")
    ended = check(manifest, database.reader)
    assert ended.returncode == 10
    assert "there is no table django_migrations in public" in " ".join(ended.stdout.split())
