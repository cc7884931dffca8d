"""Clients that want the sidecar to end: a row for each attack: `make attacks`.

What it cost the attacker, the sidecar's peak memory under the limit of the shipped manifests,
the slowest probe, and whether the gate moved. Fails where a probe took over a second.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Final

from attacks.clients import ATTACKS
from attacks.stage import Outcome, attack
from support import project
from support.cgroup import MemoryGroup, shipped_limit
from support.database import add_database
from support.postgres import Server

ROWS: Final = (
    *(("plain", name) for name in (*ATTACKS, "mix")),
    *(("unix", name) for name in ("connect, send nothing", "pipeline /x", "never read /", "mix")),
    *(("tls", name) for name in ("connect, send nothing", *[*ATTACKS][-2:], "mix")),
    *(("in tls", name) for name in [*ATTACKS][3:-2]),
)
"""Listener and attack."""
SLOWEST: Final = 1.0
"""Seconds that a probe may take: kubelet's own timeout."""


def describe(outcome: Outcome) -> str:
    """Return what came of it, as one line of the table."""
    withstood = outcome.harmless and max(outcome.probes) < SLOWEST
    return (
        f"| {outcome.connections} | {outcome.sent / 2**20:.1f} | {outcome.cpu:.1f} "
        f"| {outcome.peak:.0f} | {max(outcome.probes):.2f} | {outcome.failed} "
        f"of {len(outcome.probes)} | {'yes' if outcome.gate_moved else 'no'} "
        f"| {'yes' if withstood else '**NO**'} |"
    )


def main() -> int:
    """Attack, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=15, help="how long each attack lasts")
    options = parser.parse_args()
    limit = shipped_limit()
    with MemoryGroup(limit) as group:
        kind = "enforced by a cgroup" if group.real else "NO CGROUP CAN BE MADE: ONLY COMPARED"
    print(f"memory limit: {limit / 2**20:.0f} MiB, {kind}\n")
    print("| listener | attack | connections | MiB sent | its CPU, s | peak, MiB ", end="")
    print("| slowest probe, s | failed | gate moved | withstood |\n|" + " --- |" * 10)
    withstood = True
    with Server() as server, tempfile.TemporaryDirectory() as folder:
        manifest = Path(folder) / "manifest.json"
        project.bake(manifest).check_returncode()
        database = add_database(server, "shop")
        database.migrate()
        for listener, name in ROWS:
            outcome = attack(name, listener, manifest, database.reader, options.seconds)
            row = describe(outcome)
            print(f"| {listener} | {name} {row}", flush=True)
            withstood &= "NO" not in row
    return int(not withstood)


if __name__ == "__main__":
    sys.exit(main())
