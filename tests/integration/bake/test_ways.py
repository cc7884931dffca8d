"""Baking by a folder or an archive that stands alone, beside anything a project may hold."""

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from integration.bake.projects import BAKER, WAYS, Project, alone, packed
from support.project import APP, REPOSITORY

Way = Callable[[Path], Path]

EMPTY = """
from django.db import migrations

class Migration(migrations.Migration):
    pass
"""
OURS = sorted(path.stem for path in BAKER.glob("*.py") if not path.stem.startswith("__"))
"""The baker's own modules."""
AROUND = ("cli", "config", "databases", "healthcheck", "outputs", "watcher")
"""Modules next to the baker's folder in our package."""


@pytest.fixture(params=WAYS, ids=lambda way: way.__name__)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A path that Python can be given: the folder where it lies, a copy of it, an archive."""
    folder = tmp_path / "mounted"
    folder.mkdir()
    way: Way = request.param
    return way(folder)


def test_every_way_writes_the_same_bytes(project: Project, path: Path) -> None:
    """The folder, a copy, the archive, the module and both commands cannot differ."""

    def bake(*command: str | Path) -> bytes:
        baked = project.bake(cwd=APP, settings="storefront.settings", command=command)
        assert baked.code == 0, baked.stderr
        return baked.written

    by_command = bake()
    assert bake(sys.executable, path) == by_command
    assert bake(sys.executable, "-I", path) == by_command
    assert bake(sys.executable, "-m", "sidecar.baker") == by_command
    assert bake(sys.executable, "-m", "sidecar", "bake") == by_command


def test_a_relative_path_outlives_a_change_of_folder(project: Project, path: Path) -> None:
    """Started by a relative path, it finds its own modules when the settings change the folder."""
    project.shop(more="import os\nos.chdir('/')")
    relative = os.path.relpath(path, project.folder)
    baked = project.bake("--no-model-check", command=(sys.executable, relative))
    assert list(baked.rows) == ["shop.0001_initial"]


def test_nothing_of_ours_shadows_the_project(project: Project, path: Path) -> None:
    """Modules and apps of the project that are called like ours are the project's."""
    names = [*OURS, *AROUND]
    project.settings("core", "baker", name="settings")
    for name in names:
        project.write(f"{name}.py", "MINE = True\n")
    check = f"import {', '.join(names)}\nassert all([{', '.join(f'{n}.MINE' for n in names)}])\n"
    project.app("core", check, m0001_initial=EMPTY)
    project.app("baker", m0001_initial=EMPTY)
    baked = project.bake(settings="settings", command=(sys.executable, path))
    assert list(baked.rows) == ["core.0001_initial", "baker.0001_initial"]


def test_a_missing_module_is_not_found_among_ours(project: Project, path: Path) -> None:
    """A project that lacks a module does not get ours of that name."""
    names = (*OURS, *AROUND, "baker")
    project.shop(
        more=f"""
        from importlib.util import find_spec
        found = [name for name in {names} if find_spec(name)]
        assert not found, found
        """
    )
    assert list(project.bake(command=(sys.executable, path)).rows) == ["shop.0001_initial"]


@pytest.mark.parametrize("way", [alone, packed])
def test_a_copy_finds_the_project_beside_it(project: Project, way: Way) -> None:
    """Copied beside manage.py, it bakes that project from any working directory."""
    project.shop()
    elsewhere = project.folder / "elsewhere"
    elsewhere.mkdir()
    baked = project.bake(command=(sys.executable, way(project.folder)), cwd=elsewhere)
    assert list(baked.rows) == ["shop.0001_initial"]


def test_our_frames_are_not_the_project(project: Project, path: Path) -> None:
    """Where an error was raised is a place in the project, never one in the baker."""
    project.shop()
    project.write("shop/migrations/0001_initial.py", "from django.db import migrations\n1 / 0\n")
    assert project.bake(command=(sys.executable, path)).line() == (
        "refused: the migration shop.0001_initial cannot be loaded: "
        "ZeroDivisionError: division by zero (at shop/migrations/0001_initial.py:2)"
    )
    project.write("shop/migrations/0001_initial.py", "x = 1\n")
    line = project.bake(command=(sys.executable, path)).line()
    assert line == (
        "refused: the migration shop.0001_initial cannot be loaded: "
        "BadMigrationError: Migration 0001_initial in app shop has no Migration class"
    )


def test_the_archive_has_the_same_bytes_always(tmp_path: Path) -> None:
    """Neither a checkout's place nor its times change a byte, and nothing else is in it."""
    tool, checkout = Path("tools/pack_baker.py"), tmp_path / "checkout"
    (checkout / "tools").mkdir(parents=True)
    shutil.copy(REPOSITORY / tool, checkout / tool)
    for number, file in enumerate(alone(checkout / "sidecar").iterdir()):
        os.utime(file, (number, 1_000_000_000 - number))
    archive, other = packed(tmp_path), tmp_path / "made" / "other.pyz"
    subprocess.run([sys.executable, checkout / tool, other], check=True, umask=0o077)
    assert other.read_bytes() == archive.read_bytes()
    with zipfile.ZipFile(archive) as opened:
        assert opened.namelist() == sorted(file.name for file in BAKER.glob("*.py"))
        assert {entry.date_time for entry in opened.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert os.access(archive, os.X_OK)
