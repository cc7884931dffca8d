"""Base images: the official ones where a registry can be reached, or else stand-ins.

A stand-in is Debian by debootstrap, with the package sources, the CA bundle and the pip
configuration of this machine, so that apt and pip work inside a build as they do outside.
"""

import os
import shutil
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent / "bases"
PREFIX: Final = "migration-sidecar-e2e"
OFFICIAL: Final = "python:3.14-slim"
NAMES: Final = ("python", "postgres", "haproxy", "prometheus")
PIP: Final = ("index-url", "extra-index-url", "trusted-host", "timeout")
INDEX: Final = "deb $(REPO_URI) $(RELEASE) $(COMPONENT)"
CA_BUNDLES: Final = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")


def choose(work: Path) -> dict[str, str]:
    """Return the variables that name the images; none where the official ones are to be had."""
    if "PYTHON_IMAGE" in os.environ or _succeeds("docker", "pull", "--quiet", OFFICIAL):
        return {}
    print("e2e: no registry to pull from; building stand-ins for the base images", flush=True)
    if not _succeeds("docker", "image", "inspect", f"{PREFIX}/debian"):
        _bootstrap(work / "rootfs")
    context = work / "bases"
    shutil.rmtree(context, ignore_errors=True)
    shutil.copytree(FOLDER, context)
    describe_machine(context)
    for name in ("base", *NAMES):
        build(f"{PREFIX}/{name}", context, "--file", str(context / f"{name}.Dockerfile"))
    made = {f"{name.upper()}_IMAGE": f"{PREFIX}/{name}" for name in NAMES}
    return {**made, "DEBIAN_IMAGE": f"{PREFIX}/base"}


def build(tag: str, context: Path, *arguments: str) -> None:
    """Build an image; print its output only when it fails."""
    done = subprocess.run(
        ["docker", "build", "--tag", tag, *_proxy_arguments(), *arguments, str(context)],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"e2e: docker build of {tag} failed:\n{done.stdout[-4000:]}")


def _bootstrap(root: Path) -> None:
    shutil.rmtree(root, ignore_errors=True)
    root.parent.mkdir(parents=True, exist_ok=True)
    mirror, suite = sources()[0].split()[1:3]
    log = root.with_suffix(".log")
    with log.open("wb") as output:
        subprocess.run(
            ["debootstrap", "--variant=minbase", "--include=ca-certificates", suite, root, mirror],
            check=True,
            stdout=output,
            stderr=output,
        )
    for waste in ("var/cache/apt/archives", "var/lib/apt/lists", "usr/share/doc", "usr/share/man"):
        shutil.rmtree(root / waste, ignore_errors=True)
    (root / "var/cache/apt/archives/partial").mkdir(parents=True)
    with subprocess.Popen(["tar", "-C", root, "-c", "."], stdout=subprocess.PIPE) as tar:
        subprocess.run(
            ["docker", "import", "-", f"{PREFIX}/debian"],
            check=True,
            stdin=tar.stdout,
            stdout=subprocess.DEVNULL,
        )
    shutil.rmtree(root)


def sources() -> list[str]:
    """Return this machine's own Debian sources, its release first."""
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", INDEX, "Created-By: Packages", "Origin: Debian"],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    return sorted(set(listed.splitlines()), key=lambda line: (len(line.split()[2]), line))


def describe_machine(context: Path) -> None:
    """Write into a folder how this machine reaches its package sources."""
    bundles = [os.environ.get(name) for name in CA_BUNDLES]
    bundles += [ssl.get_default_verify_paths().cafile, "/etc/ssl/certs/ca-certificates.crt"]
    bundle = next(Path(path) for path in bundles if path and Path(path).is_file())
    shutil.copyfile(bundle, context / "ca-certificates.crt")
    (context / "sources.list").write_text("\n".join(sources()) + "\n")
    wanted = ("Acquire::http", "Acquire::https", "Acquire::Check")
    dump = subprocess.run(["apt-config", "dump"], check=True, stdout=subprocess.PIPE, text=True)
    kept = [line for line in dump.stdout.splitlines() if line.startswith(wanted)]
    waste = ['Dir::Cache::pkgcache "";', 'Dir::Cache::srcpkgcache "";']
    (context / "apt.conf").write_text("\n".join([*kept, *waste, 'APT::Install-Recommends "0";\n']))
    (context / "pip.conf").write_text(_pip_configuration())


def _pip_configuration() -> str:
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    lines = ["[global]", "cert = /etc/ssl/certs/ca-certificates.crt"]
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        # A folder of this machine means nothing inside a container.
        words = [word for word in value.strip("'\"").split() if not word.startswith("file:")]
        if name.rpartition(".")[2] in PIP and words:
            lines.append(f"{name.rpartition('.')[2]} = {' '.join(words)}")
    return "\n".join(lines) + "\n"


def proxies() -> list[str]:
    """Return the variables by which this machine names its proxies."""
    names = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
    return [name for upper in names for name in (upper, upper.lower()) if name in os.environ]


def _proxy_arguments() -> list[str]:
    return [part for name in proxies() for part in ("--build-arg", name)]


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, check=False, capture_output=True).returncode == 0
