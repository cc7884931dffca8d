"""A Docker engine: the one that runs, or else one of our own, with nothing left of it after."""

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Final, Self

PACKAGES: Final = {
    "dockerd": "docker.io",
    "docker-compose": "docker-compose",
    "debootstrap": "debootstrap",
    "git": "git",
    "ip": "iproute2",
    "iptables": "iptables",
    "update-ca-certificates": "ca-certificates",
}


def install_missing() -> None:
    """Install what the stories need, on Debian as root; otherwise name what is missing."""
    missing = [package for program, package in PACKAGES.items() if not shutil.which(program)]
    if not missing:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise SystemExit(f"e2e: install {' '.join(missing)} (as root on Debian this is done here)")
    print(f"e2e: installing {' '.join(missing)}", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing],
    ):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)


class Engine:
    """What answers `docker`; sets DOCKER_HOST where it is our own."""

    def __init__(self, folder: Path) -> None:
        """Keep images and layers in this folder, so that the next run need not make them."""
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._had_bridge = True
        self._rules = b""

    def __enter__(self) -> Self:
        """Start a daemon unless one answers."""
        if _answers():
            print("e2e: using the Docker engine that runs", flush=True)
            return self
        self._folder.mkdir(parents=True, exist_ok=True)
        # A Unix socket's path may have about 100 characters, and a checkout's may be longer.
        run = Path(f"/run/sidecar-e2e-{os.getpid()}")
        os.environ["DOCKER_HOST"] = f"unix://{run}/docker.sock"
        self._run = run
        self._had_bridge = Path("/sys/class/net/docker0").exists()
        self._rules = _output("iptables-save")
        with (self._folder / "dockerd.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    "dockerd",
                    f"--data-root={self._folder / 'docker'}",
                    f"--exec-root={run}/exec",
                    f"--pidfile={run}/pid",
                    f"--host=unix://{run}/docker.sock",
                ],
                stdout=log,
                stderr=log,
                # Ctrl-C is for us, who then end it when its containers have gone.
                start_new_session=True,
            )
        deadline = time.monotonic() + 60
        while not _answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                raise SystemExit(f"e2e: dockerd does not start; see {log.name}")
            time.sleep(0.2)
        return self

    def __exit__(self, *_: object) -> None:
        """End what was started, and put the machine's network back as it was."""
        if self._process is None:
            return
        if self._process.poll() is None:
            # Nobody else knows this daemon: whatever runs in it is ours.
            if left := _output("docker", "ps", "--all", "--quiet").decode().split():
                subprocess.run(
                    ["docker", "rm", "--force", *left], check=False, stdout=subprocess.DEVNULL
                )
            self._process.terminate()
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self._run, ignore_errors=True)
        self._restore_network()

    def _restore_network(self) -> None:
        if not self._had_bridge:
            subprocess.run(
                ["ip", "link", "delete", "docker0"], check=False, stderr=subprocess.DEVNULL
            )
        if self._rules.strip():
            subprocess.run(["iptables-restore"], check=False, input=self._rules)
            return
        for table in ("filter", "nat"):
            for action in (["-F"], ["-X"]):
                subprocess.run(["iptables", "-t", table, *action], check=False)
        subprocess.run(["iptables", "-P", "FORWARD", "ACCEPT"], check=False)


def _answers() -> bool:
    return subprocess.run(["docker", "info"], check=False, capture_output=True).returncode == 0


def _output(*command: str) -> bytes:
    return subprocess.run(command, check=False, capture_output=True).stdout
