"""A project far larger than any that is known."""

import os
import subprocess
import sys
import time

import pytest

from integration.bake.projects import CREATE_ITEM, ITEM, Project, migration
from sidecar.core.migrations.compare import check
from sidecar.core.migrations.manifest import decode
from support.project import environment, sidecar

APPS, EACH = 50, 100


def write(project: Project) -> None:
    """Write apps whose migrations depend on the app before, here and there."""
    labels = [f"app{number:02}" for number in range(APPS)]
    fields = [f"f{step}" for step in range(2, EACH + 1) if step % 10 == 0]
    models = ITEM.replace("50", str(EACH)) + "".join(
        f"    {field} = models.IntegerField(null=True)\n" for field in fields
    )
    project.settings(*labels)
    for number, label in enumerate(labels):
        project.app(label, models, m0001_x=migration(operations=CREATE_ITEM))
        for step in range(2, EACH + 1):
            needs = [(label, f"{step - 1:04}_x")]
            change = f"migrations.AlterField('item', 'name', models.CharField(max_length={step}))"
            if step % 10 == 0:
                needs += [(labels[number - 1], f"{step:04}_x")] if number else []
                field = f"'f{step}', models.IntegerField(null=True)"
                change += f", migrations.AddField('item', {field})"
            project.write(
                f"{label}/migrations/{step:04}_x.py", migration(*needs, operations=change)
            )


def test_five_thousand_migrations(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """5,000 migrations bake, and what they take is reported."""
    write(project)
    output = project.folder / "manifest.json"
    began = time.monotonic()
    baking = subprocess.Popen(
        [sidecar(), "bake", "--settings", "site_settings", "-o", str(output)],
        cwd=project.folder, env=environment(),
    )  # fmt: skip
    _, status, usage = os.wait4(baking.pid, 0)
    took = time.monotonic() - began
    baking.returncode = os.waitstatus_to_exitcode(status)
    assert baking.returncode == 0
    manifest = decode(output.read_bytes())
    check(manifest)
    assert len(manifest.nodes) == APPS * EACH
    with capsys.disabled():
        size = output.stat().st_size // 1024
        sys.stdout.write(
            f"\n{APPS * EACH} migrations baked in {took:.1f} s, "
            f"{usage.ru_maxrss // 1024} MiB at most, {size} KiB written\n"
        )
