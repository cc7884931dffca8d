"""A compose project: the shipped files, copied, so that a story may edit what is mounted."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Self

from e2e.docker import Container, docker
from support.project import REPOSITORY


class Project:
    """One project of one Compose program; as a context nothing of it is left."""

    def __init__(self, program: str, folder: Path, *overlays: str, **variables: str) -> None:
        """Copy the files; ports are chosen by Docker."""
        self.folder = folder / "compose"
        shutil.copytree(REPOSITORY / "compose", self.folder)
        files = ["compose.yaml", *(f"compose.{name}.yaml" for name in overlays)]
        self.name = f"e2e-{os.getpid()}-{folder.name}".replace("_", "-").lower()
        named = [part for file in files for part in ("--file", file)]
        self._command = [program, "--project-name", self.name, *named]
        # An open gate polls every 30 s by default; that is too seldom for a test.
        ours = {"SHOP_PORT": "0", "PROMETHEUS_PORT": "0", "SIDECAR_INTERVAL": "1s"}
        self._environment = {**os.environ, **ours, **variables}

    def __enter__(self) -> Self:
        """Return the project itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove its containers, networks and volumes, those of profiles included."""
        if left := self._ids():
            docker("rm", "--force", "--volumes", *left)
        # A story whose variables are refused has nothing that `down` could remove.
        self.run("down", "--volumes", "--timeout=1", check=False)

    def run(self, *arguments: str, check: bool = True, **variables: str) -> str:
        """Run compose to its end; return all that it printed."""
        with self.start(*arguments, **variables) as running:
            output = running.communicate(timeout=300)[0]
        if check and running.returncode:
            raise AssertionError(f"compose {' '.join(arguments)}: {running.returncode}\n{output}")
        return output

    def start(self, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
        """Start compose in the background."""
        return subprocess.Popen(
            [*self._command, *arguments],
            cwd=self.folder,
            env={**self._environment, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def containers(self, service: str) -> list[Container]:
        """Return a service's containers, whatever their state; those of `run` are no replicas."""
        replicas = "label=com.docker.compose.oneoff=False"
        named = f"label=com.docker.compose.service={service}"
        return [Container(each) for each in self._ids(named, replicas)]

    def container(self, service: str) -> Container:
        """Return a service's only container."""
        (container,) = self.containers(service)
        return container

    def url(self, service: str, port: int) -> str:
        """Return where a service's port is reached from here."""
        address = docker("port", self.container(service).id, str(port)).split()[0]
        return f"http://{address}"

    def _ids(self, *filters: str) -> list[str]:
        mine = f"label=com.docker.compose.project={self.name}"
        given = [part for each in (mine, *filters) for part in ("--filter", each)]
        return docker("ps", "--all", "--quiet", "--no-trunc", *given).split()
