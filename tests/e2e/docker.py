"""Images and containers, through the `docker` command."""

import json
import subprocess
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Self


def docker(*arguments: str, check: bool = True) -> str:
    """Run `docker`; return its output, standard error included."""
    done = subprocess.run(
        ["docker", *arguments],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if check and done.returncode:
        raise AssertionError(f"docker {' '.join(arguments)}: {done.returncode}\n{done.stdout}")
    return done.stdout


def parse_time(text: str) -> datetime:
    """Return a time as Docker writes it, with its nine digits of a second."""
    head, _, fraction = text.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{head}.{fraction[:6]:0<6}+00:00")


@dataclass(frozen=True)
class Image:
    """An image by its name."""

    name: str

    @cached_property
    def facts(self) -> dict[str, Any]:
        """The output of `docker image inspect`."""
        facts: dict[str, Any] = json.loads(docker("image", "inspect", self.name))[0]
        return facts

    @property
    def layers(self) -> list[str]:
        """The digests of its layers."""
        layers: list[str] = self.facts["RootFS"]["Layers"]
        return layers

    def run(self, *flags: str, command: tuple[str, ...] = ()) -> tuple[int, str]:
        """Run a container to its end; return its exit code and its output."""
        done = subprocess.run(
            ["docker", "run", "--rm", *flags, self.name, *command],
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return done.returncode, done.stdout

    def start(self, *flags: str, command: tuple[str, ...] = ()) -> "Container":
        """Start a container in the background."""
        return Container(docker("run", "--detach", *flags, self.name, *command).strip())


@dataclass(frozen=True)
class Container:
    """A container by its id; as a context it is gone in the end."""

    id: str

    def __enter__(self) -> Self:
        """Return the container itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove it, whatever its state."""
        docker("rm", "--force", "--volumes", self.id)

    @property
    def facts(self) -> dict[str, Any]:
        """The output of `docker inspect` now."""
        facts: dict[str, Any] = json.loads(docker("inspect", self.id))[0]
        return facts

    @property
    def state(self) -> dict[str, Any]:
        """Its state now."""
        state: dict[str, Any] = self.facts["State"]
        return state

    @property
    def health(self) -> str:
        """What Docker's healthcheck makes of it: starting, healthy or unhealthy."""
        return str(self.state["Health"]["Status"])

    @property
    def started(self) -> datetime:
        """When it was started last."""
        return parse_time(self.state["StartedAt"])

    @property
    def log(self) -> str:
        """All that it has printed."""
        return docker("logs", self.id)

    def logged_at(self, text: str) -> datetime:
        """Return when it first printed this text. Raises AssertionError if it never did."""
        for line in docker("logs", "--timestamps", self.id).splitlines():
            if text in line:
                return parse_time(line.split()[0])
        raise AssertionError(f"never printed {text!r}:\n{self.log}")

    def run(self, *command: str, check: bool = True) -> str:
        """Run a command in it."""
        return docker("exec", self.id, *command, check=check)

    def stop(self) -> int:
        """SIGTERM it, as `docker stop` does; return its exit code."""
        docker("stop", "--time=20", self.id)
        return int(self.state["ExitCode"])

    def resident_mebibytes(self) -> float:
        """Return the resident memory of its processes."""
        table = docker("top", self.id, "-o", "pid,rss").split()[2:]
        return sum(int(kibibytes) for kibibytes in table[1::2]) / 1024
