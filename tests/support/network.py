"""Names and links of one child process's own, by Linux namespaces: the machine's stay as they are.

A child started with the prefix of `Names` resolves names by a hosts file of ours; one
started with the prefix of a `Link` has a network of its own, one cable to this machine and
no loopback, and its packets can be dropped.
"""

import itertools
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final, Self

from support import needs
from support.process import until

NUMBERS = itertools.count()
NOBODY: Final = "02:00:00:00:00:99"
"""An Ethernet address that nobody has: what is sent there is lost, without an error."""


class Names:
    """A hosts file for a child process alone; `point` changes it while the child runs."""

    def __init__(self, folder: Path, name: str, address: str) -> None:
        """Write the files that the child will see."""
        rights = ("-m",) if os.geteuid() == 0 else ("-r", "-m")
        _need("unshare", *rights, "true")
        self._name = name
        self._hosts = folder / "hosts"
        switch = folder / "nsswitch.conf"
        switch.write_text("hosts: files\n")
        self.point(address)
        mounts = (
            f"mount --bind {self._hosts} /etc/hosts && mount --bind {switch} /etc/nsswitch.conf"
        )
        self.prefix = ("unshare", *rights, "sh", "-c", f'{mounts} && exec "$@"', "sh")

    def point(self, address: str) -> None:
        """Let the name resolve to this address."""
        self._hosts.write_text(f"{address} {self._name}\n")


class Link:
    """A cable to a network namespace that lives as long as the child in it."""

    prefix = ("unshare", "-n")

    def __init__(self) -> None:
        """Take a name and addresses that nobody uses."""
        needs.declare("namespaces")
        if os.geteuid() != 0 or shutil.which("ip") is None:
            needs.missing("namespaces")
        _need(*self.prefix, "true")
        number = next(NUMBERS)
        self._name = f"sc{os.getpid()}-{number}"
        block = f"198.18.{os.getpid() % 256}."
        self.address = f"{block}{number * 4 % 256 + 1}"
        self._other = f"{block}{number * 4 % 256 + 2}"
        self._child = 0

    def __enter__(self) -> Self:
        """Lay the near end."""
        _ip("link", "add", self._name, "type", "veth", "peer", "name", self._name + "x")
        _ip("addr", "add", f"{self.address}/30", "dev", self._name)
        _ip("link", "set", self._name, "up")
        return self

    def __exit__(self, *_: object) -> None:
        """Take it away; it is gone already when the child has ended."""
        subprocess.run(["ip", "link", "del", self._name], check=False, capture_output=True)

    def plug(self, child: int) -> None:
        """Lay the far end into the namespace of this process."""
        self._child = child
        until(lambda: _namespace(child) != _namespace(os.getpid()), "the child has a namespace")
        _ip("link", "set", self._name + "x", "netns", str(child))
        self._inside("addr", "add", f"{self._other}/30", "dev", self._name + "x")
        self._inside("link", "set", self._name + "x", "up")

    def drop(self) -> None:
        """Lose every packet of either side from now on."""
        lost = ("lladdr", NOBODY, "nud", "permanent", "dev")
        self._inside("neigh", "replace", self.address, *lost, self._name + "x")
        _ip("neigh", "replace", self._other, *lost, self._name)

    def restore(self) -> None:
        """Let packets through again."""
        self._inside("neigh", "del", self.address, "dev", self._name + "x")
        _ip("neigh", "del", self._other, "dev", self._name)

    def _inside(self, *arguments: str) -> None:
        _run("nsenter", "-t", str(self._child), "-n", "ip", *arguments)


def _ip(*arguments: str) -> None:
    _run("ip", *arguments)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def _namespace(process: int) -> str:
    return str(Path(f"/proc/{process}/ns/net").readlink())


def _need(*command: str) -> None:
    needs.declare("namespaces")
    try:
        _run(*command)
    except (OSError, subprocess.CalledProcessError):
        needs.missing("namespaces")
