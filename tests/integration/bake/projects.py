"""Django projects for baking, written file by file, and baked in a process of their own."""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

from sidecar import baker
from support.process import PATIENCE
from support.project import REPOSITORY, environment, sidecar

BAKER = Path(baker.__file__).parent
"""The folder, in the package that it is part of."""

PACK = REPOSITORY / "tools" / "pack_baker.py"

SETTINGS = """
SECRET_KEY = "not secret"
INSTALLED_APPS = {apps!r}
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": "/nowhere/at/all"}}}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
"""
MANAGE = """
import os, sys
from django.core.management import execute_from_command_line
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_settings")
execute_from_command_line(sys.argv)
"""
ITEM = """
from django.db import models

class Item(models.Model):
    name = models.CharField(max_length=50)
"""
CREATE_ITEM = """
migrations.CreateModel(
    name="Item",
    fields=[
        ("id", models.BigAutoField(
            auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
        ("name", models.CharField(max_length=50)),
    ],
)
"""


@dataclass(frozen=True, slots=True)
class Baked:
    """How a bake ended."""

    code: int
    stderr: str
    written: bytes

    @property
    def document(self) -> dict[str, Any]:
        """The manifest."""
        assert self.code == 0, self.stderr
        found: dict[str, Any] = json.loads(self.written)
        return found

    @property
    def rows(self) -> dict[str, dict[str, Any]]:
        """The manifest's migrations by name."""
        return {row["migration"]: row for row in self.document["graph"]["migrations"]}

    def line(self, code: int = 66) -> str:
        """Return the one line that a failed bake printed; nothing may have been written."""
        assert (self.code, self.written) == (code, b""), self.stderr
        assert "Traceback" not in self.stderr
        *warnings, last = self.stderr.splitlines()
        assert all(line.startswith("bake: warning: ") for line in warnings), self.stderr
        return last.removeprefix("bake: ").removeprefix("CommandError: ")


@dataclass(frozen=True, slots=True)
class Project:
    """A folder to work in."""

    folder: Path

    def write(self, path: str, text: str = "") -> Path:
        """Write a file, dedented, and make the folders to it."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text))
        return file

    def settings(self, *apps: str, more: str = "", name: str = "site_settings") -> None:
        """Write a settings module, with manage.py beside it."""
        self.write(f"{name}.py", SETTINGS.format(apps=list(apps)) + dedent(more))
        self.write("manage.py", MANAGE)

    def app(self, label: str, models: str = "", **migrations: str) -> None:
        """Write an app; a migration's text is whatever `migration` returned."""
        self.write(f"{label}/__init__.py")
        self.write(f"{label}/models.py", models)
        self.write(f"{label}/migrations/__init__.py")
        for name, text in migrations.items():
            self.write(f"{label}/migrations/{name.removeprefix('m')}.py", text)

    def shop(self, more: str = "") -> None:
        """Write the smallest project that bakes: one app, one model, one migration."""
        self.settings("shop", more=more)
        self.app("shop", ITEM, m0001_initial=migration(operations=CREATE_ITEM))

    def bake(
        self,
        *flags: str,
        command: Sequence[str | Path] = (),
        settings: str = "site_settings",
        cwd: Path | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> Baked:
        """Bake with the installed `sidecar bake`, or with another command."""
        output = self.folder / "manifest.json"
        output.unlink(missing_ok=True)
        where = () if any(flag in ("-o", "--output") for flag in flags) else ("-o", str(output))
        which = ("--settings", settings) if settings else ()
        ended = subprocess.run(
            [*(command or (sidecar(), "bake")), *which, *where, *flags],
            check=False,
            cwd=cwd or self.folder,
            env=environment(**(variables or {})),
            capture_output=True,
            text=True,
            timeout=60 * PATIENCE,
        )
        assert ended.stdout == "", ended.stdout
        written = output.read_bytes() if output.exists() else b""
        return Baked(ended.returncode, ended.stderr, written)

    def by_manage(self, *flags: str) -> Baked:
        """Bake with `manage.py bake_migrations`."""
        return self.bake(*flags, command=(sys.executable, "manage.py", "bake_migrations"))


def migration(
    *dependencies: tuple[str, str],
    operations: str = "",
    before: str = "",
    **attributes: Any,
) -> str:
    """Return the text of a migration file; `before` stands above its class."""
    fields = {"dependencies": list(dependencies), **attributes}
    lines = [f"    {name} = {value!r}" for name, value in fields.items()]
    return "\n".join(
        [
            "from django.db import migrations, models",
            dedent(before),
            "class Migration(migrations.Migration):",
            *lines,
            f"    operations = [{operations}]",
            "",
        ]
    )


def in_package(_: Path) -> Path:
    """Return the baker's folder where it lies, inside our package."""
    return BAKER


def alone(folder: Path) -> Path:
    """Copy the baker's folder to where nothing else is, as images do."""
    ignore = shutil.ignore_patterns("__pycache__")
    return Path(shutil.copytree(BAKER, folder / "baker", ignore=ignore, dirs_exist_ok=True))


def packed(folder: Path) -> Path:
    """Pack the baker into one file, where nothing else is."""
    target = folder / "baker.pyz"
    subprocess.run([sys.executable, PACK, target], check=True, timeout=60)
    return target


WAYS = (in_package, alone, packed)
"""What makes of a folder to copy to the path that Python is given."""
