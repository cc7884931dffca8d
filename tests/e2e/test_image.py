"""The image: what is in it, what is not, and that building it again gives the same."""

import hashlib
import io
import json
import os
import re
import subprocess
import tarfile
from collections.abc import Callable
from typing import IO, Any

import pytest

from e2e.conftest import TOOLS
from e2e.docker import Image
from e2e.standins import OFFICIAL, PREFIX, build
from support.project import REPOSITORY

pytestmark = pytest.mark.docker

DOCKERFILES = ("Dockerfile", "compose/app/Dockerfile", "compose/sidecar/Dockerfile")
VALIDATE = """
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
print(JsonStrictValidator(SchemaVersion.V1_6).validate_str(sys.stdin.read()) or "valid")
"""


@pytest.mark.parametrize("file", DOCKERFILES)
def test_hadolint_finds_nothing(file: str) -> None:
    """Each Dockerfile that is shipped is clean for hadolint."""
    done = subprocess.run(
        [TOOLS / "hadolint", REPOSITORY / file], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_configuration(image: Image, report: Callable[[str], None]) -> None:
    """A numeric user, an entrypoint, a signal, a healthcheck and labels are part of the image."""
    config: dict[str, Any] = image.facts["Config"]
    assert config["User"] == "65532:65532"
    assert config["Entrypoint"] == ["sidecar"]
    assert config["StopSignal"] == "SIGTERM"
    assert "/opt/sidecar/healthcheck.pyc" in config["Healthcheck"]["Test"]
    assert config["Labels"]["org.opencontainers.image.title"] == "migration-sidecar"
    base = Image(os.environ.get("PYTHON_IMAGE", OFFICIAL))
    size, below = image.facts["Size"] / 1e6, base.facts["Size"] / 1e6
    layers = len(image.layers) - len(base.layers)
    assert size - below < 40
    assert layers == 2
    report(
        f"{size:.0f} MB: {below:.0f} MB of the base and {size - below:.1f} MB in {layers} layers"
    )


def test_nothing_to_build_or_install_with(image: Image) -> None:
    """There is no pip, no wheel of it, and no compiler in the image."""
    find_pip = (
        "find / -xdev \\( -name pip -o -name 'pip-*' -o -name 'pip3*' -o -name ensurepip \\) 2>&-"
    )
    _, found = image.run("--entrypoint=sh", "--user=0", command=("-c", find_pip))
    assert found == ""
    # `command -v` of Debian's sh takes the first name alone.
    find_tools = "for each in gcc cc clang pip pip3; do command -v $each; done; "
    find_tools += "python -m pip; python -m ensurepip"
    _, found = image.run("--entrypoint=sh", command=("-c", find_tools))
    assert found.count("No module named") == 2
    assert len(found.splitlines()) == 2


def test_built_again_it_is_the_same(
    image: Image, python: list[str], report: Callable[[str], None]
) -> None:
    """The same input on the same base gives the same files with the same times."""
    build(f"{PREFIX}/sidecar:again", REPOSITORY, "--no-cache", *python)
    first, second = read_files(image.name), read_files(f"{PREFIX}/sidecar:again")
    assert first == second
    report(f"{len(first)} files, byte for byte")


def read_files(name: str) -> dict[str, tuple[object, ...]]:
    """Return what our layers hold: kind, rights, owner, target, time and digest of each file.

    Directories and marks of removal get the time of the build, unless BuildKit gets
    rewrite-timestamp=true.
    """
    found: dict[str, tuple[object, ...]] = {}
    saved = subprocess.run(["docker", "save", name], check=True, stdout=subprocess.PIPE).stdout
    with tarfile.open(fileobj=io.BytesIO(saved)) as archive:
        (manifest,) = json.load(open_member(archive, "manifest.json"))
        for layer in manifest["Layers"][-2:]:
            with tarfile.open(fileobj=open_member(archive, layer)) as tar:
                for entry in tar:
                    timeless = entry.isdir() or "/.wh." in entry.name
                    digest = ""
                    if entry.isfile():
                        digest = hashlib.sha256(open_member(tar, entry.name).read()).hexdigest()
                    found[entry.name] = (
                        *(entry.type, entry.mode, entry.uid, entry.gid, entry.linkname),
                        *(0 if timeless else entry.mtime, digest),
                    )
    return found


def open_member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    """Open a file of an archive."""
    member = archive.extractfile(name)
    assert member is not None
    return member


def test_sbom_lists_what_is_installed(image: Image) -> None:
    """The SBOM is valid CycloneDX, and names every pinned dependency, Python and the base."""
    _, text = image.run("--entrypoint=cat", command=("/opt/sidecar/sbom.cdx.json",))
    done = subprocess.run(
        [TOOLS / "python", "-c", VALIDATE],
        check=True,
        input=text,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert done.stdout.strip() == "valid"
    listed = {(each["name"], each["version"]) for each in json.loads(text)["components"]}
    pins = (REPOSITORY / "requirements" / "run.txt").read_text()
    pinned = set(re.findall(r"^([a-z0-9-]+)==(\S+) (?:\\|; python)", pins, re.MULTILINE))
    missing = {pin for pin in pinned - listed if pin[0] != "typing-extensions"}
    assert not missing
    assert {"migration-sidecar", "python", "debian"} <= {name for name, _ in listed}
