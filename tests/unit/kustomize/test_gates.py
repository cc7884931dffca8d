"""k8s/, rendered by kubectl: who waits how long, who starts first, and who may do what."""

import signal
from pathlib import Path

import pytest

from sidecar.config.load import load
from sidecar.errors import DatabaseError
from support.kustomize import (
    K8S,
    RUNNING,
    Object,
    combine,
    containers,
    named,
    pods,
    render,
    variables,
)


def render_with(tmp_path: Path, *components: str) -> tuple[Object, ...]:
    return render(combine(tmp_path, components))


def max_wait(container: Object) -> int:
    """Return for how many seconds a container may wait for the schema."""
    if (probe := container.get("startupProbe")) is not None:
        return int(probe["periodSeconds"] * probe["failureThreshold"])
    (flag,) = (part for part in container["command"] if part.startswith("--timeout="))
    return int(load({"timeout": flag.partition("=")[2]}, {}).timeout or 0)


def test_settings_are_ones_that_exist(objects: tuple[Object, ...]) -> None:
    """Every variable of a container is one that the sidecar takes."""
    for pod in pods(objects).values():
        for container in containers(pod):
            assert load({}, variables(container)).unknown == ()


def test_waits_fit_each_other(objects: tuple[Object, ...]) -> None:
    """A migrate Job ends before pods stop waiting, and a rollout fails only after that."""
    jobs = [one["spec"]["activeDeadlineSeconds"] for one in objects if one["kind"] == "Job"]
    templates = pods(objects)
    for one in (one for one in objects if one["kind"] == "Deployment"):
        pod = templates[f"Deployment/{one['metadata']['name']}"]
        for container in pod["spec"].get("initContainers", []):
            if "sidecar" in container["image"]:
                assert max(jobs) < max_wait(container) < one["spec"]["progressDeadlineSeconds"]


def test_the_job_runs_again_only_where_that_helps() -> None:
    """It runs again after an unreachable database or a kill; any other failure fails the Job."""
    job = named(render(K8S / "base"), "Job", "shop-migrate")
    ignored, failed = job["spec"]["podFailurePolicy"]["rules"]
    assert (ignored["action"], failed["action"]) == ("Ignore", "FailJob")
    codes = failed["onExitCodes"]
    killed = (128 + signal.SIGKILL, 128 + signal.SIGTERM)
    assert codes["operator"] == "NotIn"
    assert codes["values"] == [DatabaseError.exit_code, *killed]


def test_pods_have_the_time_to_end(objects: tuple[Object, ...]) -> None:
    """The grace period covers preStop with gunicorn's 30 s, and what the sidecar drains."""
    for pod in pods(objects).values():
        for container in containers(pod):
            grace = pod["spec"].get("terminationGracePeriodSeconds", 30)
            drain = load({}, variables(container)).drain_delay
            pause = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {})
            assert drain + 1 < grace
            assert pause.get("seconds", 0) + (30 if pause else 0) < grace


def test_the_native_sidecar_comes_first(tmp_path: Path) -> None:
    """It starts before all that must wait for it; only what brings its manifest is earlier."""
    rendered = render_with(tmp_path, "native-sidecar", "manifest-volume")
    names = [one["name"] for one in containers(pods(rendered)["Deployment/shop"])]
    assert names == ["manifest", "migration-sidecar", "app"]


@pytest.mark.parametrize("gate", RUNNING)
def test_no_container_has_a_token(tmp_path: Path, gate: str) -> None:
    """Nothing in a pod asks the API server, so nothing in it may."""
    rendered = render_with(tmp_path, gate)
    assert named(rendered, "ServiceAccount")["automountServiceAccountToken"] is False
    assert pods(rendered)["Deployment/shop"]["spec"]["automountServiceAccountToken"] is False


def test_the_readme_names_every_folder() -> None:
    """k8s/README.md names each component and each example."""
    text = (K8S / "README.md").read_text()
    for path in [*(K8S / "components").iterdir(), *(K8S / "examples").iterdir()]:
        assert f"`{path.parent.name}/{path.name}`" in text or f"`{path.name}`" in text, path.name
