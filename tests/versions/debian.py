"""A folder of Debian unstable, and what runs in it: seen by nobody else, and gone when it ends."""

import os
import shutil
import subprocess
import tempfile
import time
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Final

from e2e import standins

PACKAGES: Final = (
    *("python3", "python3-venv", "make", "git", "ca-certificates", "procps"),
    *("postgresql", "pgbouncer", "mariadb-server-core", "mariadb-client-core"),
    *("prometheus", "prometheus-pushgateway", "chromium"),
    *("util-linux", "iproute2", "libfaketime"),
)
SUITE: Final = "sid"
DAY: Final = 24 * 60 * 60
GRACE: Final = 5.0
"""How many seconds a command has to end by itself when this program is interrupted."""

# Mounts are this namespace's own and end with it, and so do all processes. The shell stays as
# process 1, since somebody must wait for the processes whose parents ended.
ENTER: Final = """
root=$1; shift
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/run"
chroot "$root" "$@"
exit $?
"""
ENVIRONMENT: Final = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
    "REQUIRE_ALL": "1",
}


class UnavailableError(Exception):
    """The folder cannot be made today; the message names what failed."""


def make(root: Path) -> None:
    """Make the folder, unless it is there and not a day old. Raises UnavailableError."""
    stamp = root / "packages"
    listed = "\n".join(PACKAGES)
    fresh = stamp.exists() and time.time() - stamp.stat().st_mtime < DAY
    if fresh and stamp.read_text() == listed:
        return
    if os.geteuid() != 0 or not all(map(shutil.which, ("debootstrap", "apt-get", "unshare"))):
        raise UnavailableError("run as root on Debian, with debootstrap and util-linux installed")
    shutil.rmtree(root, ignore_errors=True)
    root.parent.mkdir(parents=True, exist_ok=True)
    log = root.with_suffix(".log")
    log.unlink(missing_ok=True)
    try:
        mirror = standins.sources()[0].split()[1]
    except (IndexError, subprocess.CalledProcessError):
        raise UnavailableError("apt knows no Debian mirror here") from None
    own = ("--variant=minbase", "--include=ca-certificates")
    _expect(_start(("debootstrap", *own, SUITE, str(root), mirror), log, "--mount-proc"), log)
    _describe(root, mirror)
    for command in (("update", "-qq"), ("install", "-y", "-qq", *PACKAGES)):
        _expect(run(root, "apt-get", *command, log=log), log)
    shutil.rmtree(root / "var/cache/apt/archives", ignore_errors=True)
    stamp.write_text(listed)


def run(root: Path, *command: str, log: Path | None = None) -> int:
    """Run a command in the folder; return its exit code. What it prints may go to a log."""
    return _start(("sh", "-ec", ENTER, "sh", str(root), *command), log)


def _start(command: tuple[str, ...], log: Path | None, *options: str) -> int:
    """Run a command in namespaces of its own, so that nothing is left of it however this ends."""
    with log.open("ab") if log else nullcontext() as output:
        process = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", *options, *command],
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
        )
        try:
            return process.wait()
        finally:
            # After Ctrl-C, which it got too, it may end by itself; then all that is left ends.
            with suppress(subprocess.TimeoutExpired):
                process.wait(GRACE)
            process.kill()
            process.wait()


def _describe(root: Path, mirror: str) -> None:
    """Let apt and pip work in the folder as they do outside, and start no services."""
    with tempfile.TemporaryDirectory() as name:
        machine = Path(name)
        standins.describe_machine(machine)
        shutil.copyfile(machine / "apt.conf", root / "etc/apt/apt.conf.d/99host")
        shutil.copyfile(machine / "pip.conf", root / "etc/pip.conf")
        authorities = "ca-certificates.crt"
        shutil.copyfile(machine / authorities, root / "etc/ssl/certs" / authorities)
    (root / "etc/apt/sources.list").write_text(f"deb {mirror} {SUITE} main\n")
    shutil.copyfile("/etc/resolv.conf", root / "etc/resolv.conf")
    shutil.copyfile("/etc/hosts", root / "etc/hosts")
    policy = root / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)


def _expect(code: int, log: Path) -> None:
    if code:
        last = log.read_text(errors="replace").strip().splitlines()[-1:] or ["no message"]
        raise UnavailableError(f"{last[0]} (see {log})")
