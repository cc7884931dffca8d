"""What k8s/ becomes: rendered by kubectl itself, and validated as by the API server."""

import json
import os
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from kubernetes_validate.utils import schema_contents
from referencing import Registry, Resource

from support.project import REPOSITORY, environment

K8S = REPOSITORY / "k8s"
Object = dict[str, Any]

RUNNING = ("native-sidecar", "sidecar-container")
COMBINATIONS = [
    (),
    ("init-wait",),
    ("sidecar-container", "init-wait"),
    *((gate,) for gate in RUNNING),
    *((gate, "manifest-volume") for gate in RUNNING),
    *((gate, "monitoring") for gate in RUNNING if (K8S / "components" / "monitoring").exists()),
]

KUBECTL = str(Path(sysconfig.get_path("scripts")) / "kubectl")
OWN = shutil.which("kubectl")
"""The machine's own where there is one: an older kustomize, as people have."""


@cache
def render(folder: Path, kubectl: str = KUBECTL) -> tuple[Object, ...]:
    """Return the objects of a kustomization."""
    ended = subprocess.run(
        [kubectl, "kustomize", folder],
        check=False, env=environment(), capture_output=True, text=True,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stderr
    return tuple(yaml.safe_load_all(ended.stdout))


def combine(folder: Path, components: Sequence[str], base: Path = K8S / "base") -> Path:
    """Write a kustomization of the base with these components into a folder; return it."""

    def relative(path: Path) -> str:
        return os.path.relpath(path, folder)

    document = {
        "resources": [relative(base)],
        "components": [relative(K8S / "components" / name) for name in components],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(document))
    return folder


def pods(objects: Sequence[Object]) -> dict[str, Object]:
    """Return the pod templates, by kind and name of what makes them."""
    found = {}
    for one in objects:
        spec = one.get("spec", {})
        template = spec.get("jobTemplate", {}).get("spec", spec).get("template")
        if template is not None:
            found[f"{one['kind']}/{one['metadata']['name']}"] = template
    return found


def containers(pod: Object) -> Iterator[Object]:
    """Yield every container of a pod template, in the order in which they start."""
    yield from pod["spec"].get("initContainers", [])
    yield from pod["spec"]["containers"]


def named(objects: Sequence[Object], kind: str, name: str = "shop") -> Object:
    """Return the one object of this kind and name."""
    (found,) = (o for o in objects if (o["kind"], o["metadata"]["name"]) == (kind, name))
    return found


def variables(container: Object) -> dict[str, str]:
    """Return the variables that stand in the container itself, mounted files as their text."""
    found = {one["name"]: one["value"] for one in container.get("env", []) if "value" in one}
    if found.pop("SIDECAR_DATABASE_URL_FILE", None):
        found["SIDECAR_DATABASE_URL"] = "postgresql://sidecar@db/shop"
    return found


def selects(labels: Mapping[str, str], pod: Object) -> bool:
    """Return whether a selector's labels match a pod."""
    return bool(labels.items() <= pod["metadata"]["labels"].items())


def complaints(one: Object, version: str) -> list[str]:
    """Return what a Kubernetes of this version would refuse; unknown fields too."""
    return _complaints(json.dumps(one, sort_keys=True), version)


@cache
def _complaints(text: str, version: str) -> list[str]:
    one = json.loads(text)
    api = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", one["apiVersion"])
    name = f"{one['kind'].lower()}-{api}.json"
    folder = f"kubernetes-json-schema/v{version}.0-local-strict"
    schema = schema_contents(f"{folder}/{name}", version)
    validator = Draft202012Validator(schema, registry=_definitions(folder, version))
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(one)]


@cache
def _definitions(folder: str, version: str) -> Any:
    definitions = schema_contents(f"{folder}/_definitions.json", version)
    return Resource.from_contents(definitions) @ Registry()
