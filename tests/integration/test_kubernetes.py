"""What the kubelet would do with the pods of k8s/, done by hand with real processes."""

import subprocess
import sys
from pathlib import Path

import pytest

from support import project
from support.database import Database
from support.kustomize import RUNNING, Object, combine, containers, pods, render, variables
from support.process import Sidecar, until


def container(folder: Path, name: str, *components: str, pod: str = "Deployment/shop") -> Object:
    """Return one container of a rendered pod."""
    folder.mkdir(exist_ok=True)
    found = pods(render(combine(folder, components)))[pod]
    (one,) = (one for one in containers(found) if one["name"] == name)
    return one


def inside(one: Object, manifest: Path, **variables_: str) -> dict[str, str]:
    """Return a container's environment; what it finds in its file system lies in the test's."""
    state = str(manifest.with_name("gate"))
    mounted = {"SIDECAR_MANIFEST": str(manifest), "SIDECAR_STATE_FILE": state}
    own = variables(one)
    return {**own, **{name: mounted[name] for name in own.keys() & mounted}, **variables_}


def start(one: Object, manifest: Path, **variables_: str) -> "subprocess.Popen[bytes]":
    """Start a container's command as its pod would, in the app's folder."""
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    surroundings = inside(one, manifest, **variables_)
    return subprocess.Popen(
        one["command"],
        cwd=project.APP,
        env={**project.environment(), **surroundings, "PATH": path},
        executable=project.sidecar(),
    )


def passes(sidecar: Sidecar, one: Object, probe: str) -> bool:
    """Ask as the kubelet does."""
    return sidecar.get(one[probe]["httpGet"]["path"])[0] == 200


@pytest.mark.parametrize("gate", RUNNING)
def test_a_pod_takes_traffic_once_the_job_has_migrated(
    database: Database, manifest: Path, tmp_path: Path, gate: str
) -> None:
    """Probes and Job of the rendered objects play together as they are meant to."""
    one = container(tmp_path / "web", "migration-sidecar", gate)
    job = container(tmp_path / "job", "migrate", pod="Job/shop-migrate")
    assert one["command"] == ["sidecar", "serve"]
    with Sidecar(manifest, url=database.reader, **inside(one, manifest)) as sidecar:
        until(
            lambda: sidecar.get("/readyz")[1].strip() == "schema_behind", "it has read the database"
        )
        assert not passes(sidecar, one, "readinessProbe")
        assert passes(sidecar, one, "livenessProbe")
        if "startupProbe" in one:
            assert not passes(sidecar, one, "startupProbe")

        migrating = start(job, manifest, DATABASE_URL=database.migrator)
        assert migrating.wait(60) == 0
        until(lambda: passes(sidecar, one, "readinessProbe"), "traffic may arrive", within=10)
        assert "startupProbe" not in one or passes(sidecar, one, "startupProbe")

        took = until(lambda: sidecar.stop() == 0, "it ends")
        assert took < 20, "well within the grace period"


def test_an_init_container_waits_for_the_job(
    database: Database, manifest: Path, tmp_path: Path
) -> None:
    """`init-wait` ends with 0 when the schema is current, and not before."""
    one = container(tmp_path / "web", "wait-for-schema", "init-wait")
    waiting = start(one, manifest, DATABASE_URL=database.reader)
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(2)
        database.migrate()
        assert waiting.wait(20) == 0
    finally:
        waiting.kill()
        waiting.wait()
