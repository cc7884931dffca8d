"""A sidecar with the memory of a shipped pod, the attacker, and the probes meanwhile."""

import json
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trustme

from support.cgroup import MemoryGroup, shipped_limit
from support.process import PATIENCE, Sidecar, until
from support.project import REPOSITORY, environment

PROBE: Final = b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
PROBER: Final = "127.0.0.2"
"""Kubelet has the node's address, an attacker one of its own."""
DESCRIPTORS: Final = 512
"""What the sidecar may have: half of the usual, and far less than an attacker opens."""
INTERVAL: Final = 0.05
"""Seconds between probes."""


@dataclass(frozen=True)
class Outcome:
    """What an attack took, and what came of it."""

    connections: int
    sent: int
    cpu: float
    peak: float
    """Resident memory of the sidecar at its most, in MiB."""
    probes: Sequence[float]
    failed: int
    alive: bool
    gate_moved: bool
    log_lines: int

    @property
    def harmless(self) -> bool:
        """Return whether the sidecar withstood it."""
        bounded = self.alive and self.peak * 2**20 < shipped_limit()
        return bounded and not self.failed and not self.gate_moved and self.log_lines < 10


def attack(name: str, listener: str, manifest: Path, url: str, seconds: float) -> Outcome:
    """Attack a new sidecar for so long, and probe it meanwhile.

    The listener is `plain` or `unix`, or that of the details: `tls` sends bytes to it, and
    `in tls` speaks TLS with it.
    """
    folder = manifest.parent
    with MemoryGroup(shipped_limit()) as group:
        sidecar = _start(manifest, *_flags(listener, folder), url=url)
        group.add(sidecar.process.pid)
        with sidecar:
            until(sidecar.ready, "the gate opens")
            before = sidecar.log
            address = _address(sidecar, listener, folder)
            command = [sys.executable, "-m", "attacks.clients", name, address, str(seconds)]
            attacker = subprocess.Popen(
                command,
                env=environment(PYTHONPATH=str(REPOSITORY / "tests")),
                stdout=subprocess.PIPE,
                text=True,
            )
            probes, failed = _probe(sidecar, attacker, folder if listener == "unix" else None)
            took = json.loads(attacker.communicate()[0])
            alive = sidecar.process.poll() is None
            return Outcome(
                int(took["connections"]),
                int(took["bytes"]),
                took["cpu"],
                _peak(sidecar) if alive else 0,
                probes,
                failed,
                alive,
                any("phase" in line for line in sidecar.log[len(before) :]),
                len(sidecar.log) - len(before),
            )


def _start(manifest: Path, *flags: str, url: str) -> Sidecar:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, hard))
    try:
        return Sidecar(manifest, *flags, url=url)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _flags(listener: str, folder: Path) -> list[str]:
    if "tls" not in listener:
        return [f"--listen=127.0.0.1:0,unix:{folder}/s"]
    certificate, key = folder / "tls.crt", folder / "tls.key"
    issued = trustme.CA().issue_cert("127.0.0.1")
    certificate.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    return ["--details-listen=127.0.0.1:0", f"--tls-cert={certificate}", f"--tls-key={key}"]


def _address(sidecar: Sidecar, listener: str, folder: Path) -> str:
    if listener == "unix":
        return f"{folder}/s"
    address = sidecar.listening()[-1 if "tls" in listener else 0].rpartition("/")[2]
    return f"tls:{address}" if listener == "in tls" else address


def _probe(
    sidecar: Sidecar, attacker: "subprocess.Popen[str]", unix: Path | None
) -> tuple[list[float], int]:
    """Probe until the attacker ends; return how long each took, and how many failed."""
    took, failed = [], 0
    while attacker.poll() is None:
        began = time.monotonic()
        failed += not _answers(sidecar, unix)
        took.append(time.monotonic() - began)
        time.sleep(INTERVAL)
    return took, failed


def _answers(sidecar: Sidecar, unix: Path | None) -> bool:
    host, _, port = sidecar.url.rpartition("/")[2].rpartition(":")
    with suppress(OSError):
        if unix is not None:
            probe = socket.socket(socket.AF_UNIX)
            probe.settimeout(PATIENCE)
            probe.connect(f"{unix}/s")
        else:
            probe = socket.create_connection((host, int(port)), PATIENCE, (PROBER, 0))
        with probe:
            probe.sendall(PROBE)
            return probe.recv(4096).startswith(b"HTTP/1.1 200 ")
    return False


def _peak(sidecar: Sidecar) -> float:
    status = Path(f"/proc/{sidecar.process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024
