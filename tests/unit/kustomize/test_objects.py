"""k8s/, rendered by kubectl: every object is valid, and every pod restricted."""

import copy
import re
from pathlib import Path

import pytest
import yaml

from support.kustomize import (
    COMBINATIONS,
    K8S,
    OWN,
    Object,
    complaints,
    containers,
    named,
    pods,
    render,
    selects,
)

VERSIONS = [f"1.{minor}" for minor in range(30, 38)]
ELSEWHERE = {"monitoring.coreos.com/v1"}
"""Whose schemas Kubernetes does not bring."""

VOLUMES = {
    *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral"),
    *("persistentVolumeClaim", "projected", "secret"),
}


def test_every_component_is_tried() -> None:
    """No component is left out of the combinations."""
    known = {path.name for path in (K8S / "components").iterdir()}
    assert known == {name for components in COMBINATIONS for name in components}


def test_every_object_is_valid(objects: tuple[Object, ...]) -> None:
    """Kubernetes 1.30 to 1.37 know every field of every object, in its type."""
    for one in objects:
        if one["apiVersion"] not in ELSEWHERE:
            for version in VERSIONS:
                assert complaints(one, version) == [], f"{one['kind']}, Kubernetes {version}"


def test_what_is_misspelled_is_refused() -> None:
    """The check above can fail: an unknown field, a wrong type, a field of a newer version."""
    good = named(render(K8S / "base"), "Deployment")
    deployment = copy.deepcopy(good)
    app = deployment["spec"]["template"]["spec"]["containers"][0]
    app["readinesProbe"] = app.pop("readinessProbe")
    app["ports"][0]["containerPort"] = "8000"
    (port, name) = sorted(complaints(deployment, "1.30"))
    assert "'8000' is not of type 'integer'" in port
    assert "'readinesProbe' was unexpected" in name
    assert (
        "'sleep' was unexpected" in complaints(named(render(K8S / "base"), "Deployment"), "1.28")[0]
    )


def test_the_pod_of_the_readme_is_valid() -> None:
    """Kubernetes accepts the pod that the main README shows."""
    text = (K8S.parent / "README.md").read_text()
    (block,) = re.findall(r"^```yaml\n(spec:\n.*?)^```$", text, re.DOTALL | re.MULTILINE)
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "shop"}, **yaml.safe_load(block)}
    assert [complaints(pod, version) for version in VERSIONS] == [[]] * len(VERSIONS)


def test_an_older_kubectl_renders_the_same(folder: Path) -> None:
    """The kubectl of this machine, whatever its version, makes the same objects."""
    if OWN is None:
        # Not for REQUIRE_ALL either: the pinned one is tested, and Debian's is too old.
        pytest.skip("NOT TESTED: install a kubectl of another version beside the pinned one")
    assert render(folder, OWN) == render(folder)


def test_every_pod_meets_the_restricted_standard(objects: tuple[Object, ...]) -> None:
    """A pod has no root, privilege or capability, harmless volumes, and is read-only."""
    for name, pod in pods(objects).items():
        spec = pod["spec"]
        assert not {"hostNetwork", "hostPID", "hostIPC", "hostUsers"} & spec.keys(), name
        assert spec["securityContext"] == {
            "runAsNonRoot": True,
            "runAsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        }, name
        for volume in spec.get("volumes", []):
            assert volume.keys() - {"name"} <= VOLUMES, name
        for container in containers(pod):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, f"{name}: {container['name']}"
            assert not any("hostPort" in port for port in container.get("ports", []))


def test_the_gate_reads_its_url_from_a_secret_that_is_mounted(objects: tuple[Object, ...]) -> None:
    """A variable would keep a password that has been rotated."""
    for name, pod in pods(objects).items():
        volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes", [])}
        for container in containers(pod):
            if container["image"].partition(":")[0].endswith("shop-sidecar"):
                values = {each["name"]: each.get("value") for each in container["env"]}
                folder = Path(values["SIDECAR_DATABASE_URL_FILE"]).parent
                mounts = {Path(each["mountPath"]): each for each in container["volumeMounts"]}
                secret = volumes[mounts[folder]["name"]]["secret"]
                assert secret == {"secretName": "shop-sidecar-database"}, name
                assert "envFrom" not in container, name


def test_a_gated_app_starts_at_once(objects: tuple[Object, ...]) -> None:
    """The gate keeps traffic away; the entrypoint's own wait is for Compose."""
    for name, pod in pods(objects).items():
        for container in containers(pod):
            if container["name"] == "app":
                assert container["command"][0] == "gunicorn", name


def test_every_container_declares_its_resources(objects: tuple[Object, ...]) -> None:
    """It requests both, and limits memory but not the CPU, since that would delay probes."""
    for name, pod in pods(objects).items():
        for container in containers(pod):
            resources = container["resources"]
            assert resources["requests"].keys() == {"cpu", "memory"}, name
            assert resources["limits"].keys() == {"memory"}, name


def test_selectors_match_the_pods_that_serve(objects: tuple[Object, ...]) -> None:
    """Service and budget select pods of the Deployment, and never those of a Job."""
    templates = pods(objects)
    for one in objects:
        if one["kind"] == "Deployment":
            labels = one["spec"]["selector"]["matchLabels"]
            own = [name for name, pod in templates.items() if selects(labels, pod)]
            assert own == [f"Deployment/{one['metadata']['name']}"]
        if one["kind"] in {"Service", "PodDisruptionBudget"} and templates:
            selector = one["spec"]["selector"]
            labels = selector.get("matchLabels", selector)
            own = [name for name, pod in templates.items() if selects(labels, pod)]
            assert len(own) == 1
            assert own[0].startswith("Deployment/shop")


def test_no_patch_changes_what_the_network_policy_matches(objects: tuple[Object, ...]) -> None:
    """DNS is asked of kube-dns and metrics are for Prometheus, whatever labels are added."""
    for one in objects:
        if one["kind"] == "NetworkPolicy" and "ingress" in one["spec"]:
            dns = one["spec"]["egress"][0]["to"][0]["podSelector"]
            assert dns == {"matchLabels": {"k8s-app": "kube-dns"}}
            (metrics,) = one["spec"]["ingress"][1]["from"]
            assert metrics == {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}},
                "podSelector": {"matchLabels": {"app.kubernetes.io/name": "prometheus"}},
            }
            for name, pod in pods(objects).items():
                assert selects(one["spec"]["podSelector"]["matchLabels"], pod), name
