"""Weeks in minutes: probes, reads and outages by the thousand, with flat lines: `make soak`.

Prints the sidecar's resident memory, descriptors, threads and connections on the server as
time goes on, and fails when they grow.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from support import project
from support.database import Database, add_database
from support.postgres import Server
from support.process import Sidecar, until

PROBE = b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"
ANSWER = b"schema_current\n"
PIPELINED = 8
CONNECTIONS = 4
SAMPLES = 20
SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'migration-sidecar'"


@dataclass(frozen=True)
class Sample:
    """What the sidecar costs at one moment."""

    probes: int
    reads: int
    outages: int
    resident: int
    descriptors: int
    threads: int
    sessions: int

    def __str__(self) -> str:
        """Return one line of the table."""
        return (
            f"{self.probes:>9} {self.reads:>8} {self.outages:>8} {self.resident / 1024:>8.1f} MiB"
            f" {self.descriptors:>5} {self.threads:>8} {self.sessions:>9}"
        )


class Soak:
    """A sidecar under load, and what was done to it so far."""

    def __init__(self, sidecar: Sidecar, database: Database) -> None:
        self.sidecar = sidecar
        self.database = database
        self.probes = 0
        self.outages = 0
        self.refused = 0

    async def probe(self, count: int) -> None:
        """Send so many probes over kept connections, opened anew as they reach their age."""
        host, port = self.sidecar.url.removeprefix("http://").split(":")
        while self.probes < count:
            reader, writer = await asyncio.open_connection(host, int(port))
            try:
                while self.probes < count:
                    writer.write(PROBE * PIPELINED)
                    for _ in range(PIPELINED):
                        head = await reader.readuntil(ANSWER)
                        self.refused += b" 200 " not in head
                    self.probes += PIPELINED
            except (OSError, asyncio.IncompleteReadError):
                continue
            finally:
                writer.close()

    async def disturb(self, count: int) -> None:
        """Refuse the sidecar's role for a moment, so many times, and end its session."""
        loop = asyncio.get_running_loop()
        while self.outages < count:
            await loop.run_in_executor(None, self._outage)
            self.outages += 1

    def _outage(self) -> None:
        reads = self.reads()
        role = "sidecar_reader"
        with self.database.server.connect() as admin:
            admin.execute(f"ALTER ROLE {role} NOLOGIN")
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'migration-sidecar'"
            )
            until(lambda: self.reads() > reads, "the outage is noticed")
            admin.execute(f"ALTER ROLE {role} LOGIN")
        until(lambda: self.sidecar.status()["phase"] == "open", "it recovers", within=60)

    def reads(self) -> int:
        """Return how often the sidecar has read, by its own metric."""
        text = self.sidecar.get("/metrics")[1]
        lines = (line for line in text.splitlines() if "_reads_total{" in line)
        return int(sum(float(line.rpartition(" ")[2]) for line in lines))

    def sample(self) -> Sample:
        """Return what the sidecar costs now."""
        process = Path("/proc") / str(self.sidecar.process.pid)
        status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
        ((sessions,),) = self.database.execute(SESSIONS)
        return Sample(
            self.probes,
            self.reads(),
            self.outages,
            int(status["VmRSS"].split()[0]),
            sum(1 for _ in (process / "fd").iterdir()),
            int(status["Threads"]),
            int(str(sessions)),
        )


async def run(soak: Soak, probes: int, reads: int, outages: int) -> list[Sample]:
    """Do it all at once; return samples spread over the run."""
    work = [asyncio.create_task(soak.probe(probes)) for _ in range(CONNECTIONS)]
    work.append(asyncio.create_task(soak.disturb(outages)))
    samples = []
    print("   probes    reads  outages  resident      fds  threads  sessions", flush=True)
    for number in range(1, SAMPLES + 1):
        part = number / SAMPLES
        while not (
            soak.probes >= probes * part
            and soak.outages >= outages * part
            and await asyncio.to_thread(soak.reads) >= reads * part
        ):
            for task in work:
                if task.done():
                    task.result()
            await asyncio.sleep(0.2)
        samples.append(await asyncio.to_thread(soak.sample))
        print(samples[-1], flush=True)
    return samples


def find_growth(samples: list[Sample]) -> list[str]:
    """Return what is more in the last quarter than in the second one."""
    quarter = len(samples) // 4
    early, late = samples[quarter : 2 * quarter], samples[-quarter:]
    limits = {"resident": 1.05, "descriptors": 1.2, "threads": 1.0, "sessions": 1.0}
    found = []
    for name, limit in limits.items():
        before, after = (
            statistics.median(getattr(sample, name) for sample in part) for part in (early, late)
        )
        if after > max(before, 1) * limit:
            found.append(f"{name} grew from {before:g} to {after:g}")
    return found


def main() -> int:
    """Soak, and print the flat lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--probes", type=int, default=1_000_000)
    parser.add_argument("--reads", type=int, default=100_000)
    parser.add_argument("--outages", type=int, default=1_000)
    options = parser.parse_args()
    began = time.monotonic()
    with Server() as server, tempfile.TemporaryDirectory() as folder:
        manifest = Path(folder) / "manifest.json"
        project.bake(manifest).check_returncode()
        database = add_database(server, "shop")
        database.migrate()
        with Sidecar(manifest, "--interval=1ms", url=database.reader) as sidecar:
            until(sidecar.ready, "the gate opens")
            soak = Soak(sidecar, database)
            samples = asyncio.run(run(soak, options.probes, options.reads, options.outages))
            readiness = f"{soak.refused} of {soak.probes} probes not 200"
    problems = find_growth(samples) + ([readiness] if soak.refused else [])
    print(f"soak: {time.monotonic() - began:.0f} s, {readiness}, {'; '.join(problems) or 'flat'}")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
