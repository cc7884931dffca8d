"""A next release of the example project: a copy of its code, with migrations of the test's own."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from support import project
from support.process import PATIENCE, remember

MIGRATION = """\
from django.db import migrations, models
from django.contrib.postgres.operations import AddIndexConcurrently


class Migration(migrations.Migration):
    atomic = {atomic}
    dependencies = [("orders", "{before}")]
    operations = [{operations}]
"""

HANDLERS = '''\
"""A slow post_migrate handler, which records in the database when it has ended."""

import os
import time

from django.apps import AppConfig
from django.db import connection
from django.db.models.signals import post_migrate


def handle(**_):
    seconds = float(os.environ.get("EXAMPLE_HANDLER_SECONDS") or 0)
    time.sleep(seconds)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS handled (pid int, at timestamptz)")
        cursor.execute("INSERT INTO handled VALUES (%s, clock_timestamp())", [os.getpid()])


class Orders(AppConfig):
    name = "orders"

    def ready(self):
        post_migrate.connect(handle, sender=self)
'''

LEAF = project.LEAF.partition(".")[2]


Ended = subprocess.CompletedProcess[str]


class Release:
    """A copy of the project in a folder, baked when it is asked for."""

    def __init__(self, folder: Path) -> None:
        """Copy the project; its newest migration is still the example's."""
        self.folder = folder / "release"
        shutil.copytree(project.APP, self.folder, ignore=shutil.ignore_patterns("__pycache__"))
        (self.folder / "orders" / "apps.py").write_text(HANDLERS)
        self._leaf = LEAF

    def add(self, name: str, operations: str, *, atomic: bool = True) -> str:
        """Add a migration to `orders`, after its newest; return its key."""
        text = MIGRATION.format(before=self._leaf, operations=operations, atomic=atomic)
        (self.folder / "orders" / "migrations" / f"{name}.py").write_text(text)
        self._leaf = name
        return f"orders.{name}"

    def bake(self) -> Path:
        """Return the manifest of the release as it is now."""
        path = self.folder.with_name("manifest.json")
        project.bake(path, "--no-model-check", app=self.folder).check_returncode()
        return path

    def environment(self, url: str, **variables: str) -> dict[str, str]:
        """Return what its processes get: a database, and `python` and `sidecar` on the PATH."""
        found = project.environment(DATABASE_URL=url, **variables)
        found["PATH"] = f"{Path(sys.executable).parent}:{found['PATH']}"
        found["SIDECAR_MANIFEST"] = str(self.folder.with_name("manifest.json"))
        return found

    def start(self, *arguments: str, url: str, **variables: str) -> "subprocess.Popen[str]":
        """Start a command in its folder."""
        started = subprocess.Popen(
            arguments,
            cwd=self.folder,
            env=self.environment(url, **variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        remember(started)
        return started

    def run(self, *arguments: str, url: str, **variables: str) -> Ended:
        """Run a command in its folder; return what became of it."""
        started = self.start(*arguments, url=url, **variables)
        out, err = started.communicate(timeout=120 * PATIENCE)
        return subprocess.CompletedProcess(arguments, started.returncode, out, err)


def sql(statement: str) -> str:
    """Return an operation that runs a statement."""
    return f"migrations.RunSQL({statement!r}, migrations.RunSQL.noop),"


def json_of(ended: Ended) -> dict[str, Any]:
    """Return the report that `sidecar migrate --json -` printed after the command's own lines."""
    found: dict[str, Any] = json.loads(ended.stdout[ended.stdout.index("{\n") :])
    return found
