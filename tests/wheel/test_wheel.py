"""The built wheel, in an environment that holds its locked dependencies and nothing else.

`make wheel` makes that environment in .wheel/ and runs this; all other tests run on the tree.
"""

import json
import sqlite3
import subprocess
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

import sidecar
from support.manifests import chain, encode
from support.process import Sidecar, until
from support.project import REPOSITORY, environment

COMMAND = REPOSITORY / ".wheel" / "bin" / "sidecar"


class InstalledSidecar(Sidecar):
    """A sidecar that serves from the wheel's environment."""

    command = COMMAND


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """A manifest of one app with two migrations."""
    path = tmp_path / "manifest.json"
    path.write_bytes(encode(*chain("shop", "0001", "0002")))
    return path


def database(folder: Path, *names: str) -> str:
    """Return the URL of a file in which these migrations are recorded."""
    file = folder / "shop.sqlite3"
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute(
            "CREATE TABLE django_migrations (id integer NOT NULL PRIMARY KEY AUTOINCREMENT,"
            " app varchar(255) NOT NULL, name varchar(255) NOT NULL, applied datetime NOT NULL)"
        )
        for name in names:
            connection.execute(
                "INSERT INTO django_migrations (app, name, applied)"
                f" VALUES ('shop', '{name}', '2026-01-01 00:00:00')"
            )
    return f"sqlite:///{file}"


def run(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run the installed command."""
    return subprocess.run(
        [COMMAND, *arguments],
        check=False,
        env=environment(**variables),
        capture_output=True,
        text=True,
    )


def test_the_wheel_holds_the_tree() -> None:
    """Each file of the package is in the wheel, and nothing besides."""
    (built,) = (REPOSITORY / "dist").glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        packed = {name for name in archive.namelist() if name.startswith("sidecar/")}
    files = (REPOSITORY / "sidecar").rglob("*")
    tree = {path.relative_to(REPOSITORY).as_posix() for path in files if path.is_file()}
    assert packed == {name for name in tree if "__pycache__" not in name}


def test_the_command_prints_its_version() -> None:
    """The console script starts, with no dependency but the locked ones."""
    assert run("--version").stdout.strip() == f"migration-sidecar {sidecar.__version__}"


@pytest.mark.parametrize(("applied", "code"), [(["0001"], 10), (["0001", "0002"], 0)])
def test_it_judges_a_database(
    manifest: Path, tmp_path: Path, applied: list[str], code: int
) -> None:
    """The exit code and `ready` follow the verdict."""
    url = database(tmp_path, *applied)
    ended = run("check", f"--manifest={manifest}", "--json", DATABASE_URL=url)
    assert (ended.returncode, json.loads(ended.stdout)["ready"]) == (code, code == 0), ended.stderr


def test_it_serves(manifest: Path, tmp_path: Path) -> None:
    """The gate opens, and every endpoint answers."""
    url = database(tmp_path, "0001", "0002")
    with InstalledSidecar(manifest, "--drain-delay=0s", url=url) as running:
        until(running.ready, "the gate is open")
        for path in ("/startupz", "/livez", "/metrics", "/status", "/"):
            assert running.get(path)[0] == 200, path
        assert running.stop() == 0
