"""Write an SBOM of the image that this runs in, as CycloneDX JSON, on standard output.

What is listed was found, not planned: the distributions of the environment whose Python runs
this, that Python itself, and the Debian packages of the base. Standard library only, and no
clock or chance, so that the same image has the same SBOM.
"""

import json
import platform
import sys
import uuid
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any
from urllib.parse import quote

NAME = "migration-sidecar"
DPKG = Path("/var/lib/dpkg/status")


def python_components() -> Iterator[dict[str, Any]]:
    """Describe each installed distribution."""
    for distribution in distributions():
        name = distribution.name.lower().replace("_", "-")
        purl = f"pkg:pypi/{name}@{quote(distribution.version)}"
        yield component(
            "library", name, distribution.version, purl=purl, licenses=licences(distribution)
        )


def licences(distribution: Distribution) -> list[dict[str, Any]]:
    """Return the licences in the distribution's metadata, as an expression where it is one."""
    metadata = distribution.metadata
    if expression := metadata.get("License-Expression"):
        return [{"expression": expression}]
    classifiers = [
        text.rpartition(" :: ")[2]
        for text in metadata.get_all("Classifier", [])
        if text.startswith("License :: ") and text != "License :: OSI Approved"
    ]
    names = classifiers or [line for line in metadata.get("License", "").splitlines()[:1] if line]
    return [{"license": {"name": name}} for name in names]


def debian_components(system: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Describe each installed Debian package; none where the base has no dpkg."""
    if not DPKG.exists():
        return
    for paragraph in DPKG.read_text(encoding="utf-8").split("\n\n"):
        fields = dict(
            line.split(": ", 1) for line in paragraph.splitlines() if ": " in line[:40].lstrip("\t")
        )
        if not fields.get("Status", "").endswith(" installed"):
            continue
        name, version, arch = fields["Package"], fields["Version"], fields["Architecture"]
        distro = f"{system['ID']}-{system.get('VERSION_ID', 'unstable')}"
        purl = f"pkg:deb/{system['ID']}/{quote(name)}@{quote(version)}?arch={arch}&distro={distro}"
        yield component("library", name, version, purl=purl)


def component(kind: str, name: str, version: str, **facts: object) -> dict[str, Any]:
    """Return one component; its purl, or else its name, is what others refer to it by."""
    filled = {key: value for key, value in facts.items() if value}
    return {
        "type": kind,
        "bom-ref": facts.get("purl", name),
        "name": name,
        "version": version,
        **filled,
    }


def document() -> dict[str, Any]:
    """Return the whole SBOM."""
    system = platform.freedesktop_os_release()
    python = platform.python_version()
    found = [
        component("operating-system", system["ID"], system.get("VERSION_ID", "unstable")),
        component("platform", "python", python, purl=f"pkg:generic/python@{python}"),
        *sorted(python_components(), key=lambda each: str(each["bom-ref"])),
        *sorted(debian_components(system), key=lambda each: str(each["bom-ref"])),
    ]
    (version,) = (each["version"] for each in found if each["name"] == NAME)
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(found))
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {"component": component("container", f"{NAME}-image", version)},
        "components": found,
    }


if __name__ == "__main__":
    json.dump(document(), sys.stdout, indent=1)
    print()
