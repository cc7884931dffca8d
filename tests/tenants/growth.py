"""How the cost of reading schemas grows with their number: `make tenants`.

Prints for each number: the first read beside what the server alone needs to read the rows
in the plainest way, a steady read, one after a single tenant was migrated, and what they
cost: our CPU time and memory, and the server's.
"""

import argparse
import asyncio
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

if __name__ == "__main__":  # as a script, this folder hides the packages beside it
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import asyncpg

from bench import measure
from sidecar.core.migrations.recorded import Recorded
from sidecar.databases.base import Address
from sidecar.databases.postgres.many_schemas import PostgresSchemas
from sidecar.databases.postgres.many_schemas_rows import CHUNK_SIZE
from support import schemas
from support.postgres import Server

NUMBERS = (10, 100, 1_000, 10_000)
FIRST_TARGET, STEADY_TARGET = 2.0, 0.1
"""Seconds that a first and a later read of 10,000 schemas may take."""

COUNT_SESSIONS = (
    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'migration-sidecar'"
)


@dataclass(frozen=True)
class Row:
    """What so many schemas cost: seconds, and MiB."""

    first: float
    plain: float
    """What the server alone needs: every table's rows as one text, and nothing else."""
    steady: float
    one: float
    cpu: float
    """Our own CPU time of a steady read."""
    server_first: float
    server_steady: float
    """The server's CPU time."""
    ours: float
    backend: float
    """Memory of the largest backend that we use while it reads all."""

    def format_cells(self) -> list[str]:
        """Return the printed cells, with units."""
        times, memory = astuple(self)[:7], astuple(self)[7:]
        return [
            *(f"{1000 * each:.1f} ms" for each in times),
            *(f"{each:.1f} MiB" for each in memory),
        ]


HEAD = (
    *("schemas", "first read", "plain read", "steady read", "one migrated", "steady CPU"),
    *("server, first", "steady", "our memory", "backend's"),
)


async def measure_time(read: Callable[[], Awaitable[Recorded]]) -> tuple[float, Recorded]:
    """Return how many seconds a read took, and what it returned."""
    began = time.perf_counter()
    recorded = await read()
    return time.perf_counter() - began, recorded


async def measure_plain_read(server: Server, number: int) -> float:
    """Return the seconds of a plain UNION ALL over every table, in the same chunks."""
    connection = await asyncpg.connect(server.url("tenants"), statement_cache_size=0)
    began = time.perf_counter()
    for at in range(1, number + 1, CHUNK_SIZE):
        tables = (
            f"tenant_{n}.django_migrations" for n in range(at, min(at + CHUNK_SIZE, number + 1))
        )
        rows = (f"SELECT string_agg(app || '.' || name, ',' ORDER BY id) FROM {t}" for t in tables)
        await connection.fetch(" UNION ALL ".join(rows))
    took = time.perf_counter() - began
    await connection.close()
    return took


def make_database(server: Server) -> PostgresSchemas:
    """Return one that was never read."""
    url = server.url("tenants")
    return PostgresSchemas(Address(url=url, schemas=("tenant_*",), read_timeout=30))


def measure_server_cpu(server: Server) -> float:
    """Return the CPU seconds of a server so far, those of backends that have ended included."""
    return measure.cpu(*measure.family(server.pid)) + measure.cpu_of_ended_children(server.pid)


async def measure_reads(server: Server, number: int, sets: int) -> Row:
    """Read so many schemas, again and again."""
    before, database = measure.resident(os.getpid()), make_database(server)
    spent = measure_server_cpu(server)
    first, recorded = await measure_time(database.read)
    # Backends that have ended are counted in ticks, so a small figure may be none at all.
    server_first = max(0.0, measure_server_cpu(server) - spent)
    check(recorded, number, sets)
    await database.read()
    steady, cpu = [], []
    spent = measure_server_cpu(server)
    for _ in range(5):
        used = time.process_time()
        took, _ = await measure_time(database.read)
        cpu.append(time.process_time() - used)
        steady.append(took)
    server_steady = (measure_server_cpu(server) - spent) / 5
    server.execute(
        "INSERT INTO tenant_1.django_migrations (app, name, applied) VALUES ('shop', 'z', now())",
        "tenants",
    )
    one, recorded = await measure_time(database.read)
    check(recorded, number, min(sets + 1, number))
    server.execute("DELETE FROM tenant_1.django_migrations WHERE name = 'z'", "tenants")
    await database.release()
    ours = measure.resident(os.getpid()) - before
    return Row(
        *(first, await measure_plain_read(server, number), statistics.median(steady), one),
        *(statistics.median(cpu), server_first, server_steady, ours, await measure_backend(server)),
    )


async def measure_backend(server: Server) -> float:
    """Return the most memory of a backend during a first read, in MiB; none may be left."""
    database, most = make_database(server), 0.0
    reading = asyncio.create_task(database.read())
    while not reading.done():
        await asyncio.sleep(0.01)
        most = max(most, *(measure.private(one) for one in measure.family(server.pid)))
    await reading
    await database.release()
    await asyncio.sleep(0.1)
    if left := server.execute(COUNT_SESSIONS)[0][0]:
        raise SystemExit(f"{left} sessions are left")
    return most


def check(recorded: Recorded, number: int, sets: int) -> None:
    """Fail when a read did not return every schema, or not every distinct set of rows."""
    found = recorded.groups()
    if (sum(len(one.schemas) for one in found), len(found)) != (number, sets):
        raise SystemExit(f"expected {sets} sets in {number} schemas, not {len(found)}")


def find_missed_targets(row: Row) -> Sequence[str]:
    """Return the targets that 10,000 schemas have missed."""
    targets = (("first read", row.first, FIRST_TARGET), ("steady read", row.steady, STEADY_TARGET))
    return [f"{what}: {took:.2f} s, not {most} s" for what, took, most in targets if took > most]


def print_table(numbers: Sequence[int], rows: tuple[int, int]) -> Sequence[str]:
    """Print what each number of schemas costs; return the targets that were missed."""
    least, most = rows
    print(f"\n{least} rows in each" if least == most else f"\n{least} to {most} rows in each")
    line = "{:>8}" + " {:>13}" * (len(HEAD) - 1)
    print(line.format(*HEAD))
    misses: Sequence[str] = ()
    with Server(max_connections="20") as server:
        schemas.prepare(server, "tenants")
        made = 0
        for number in numbers:
            schemas.make(server, "tenants", range(made + 1, number + 1), rows)
            made = number
            row = asyncio.run(measure_reads(server, number, min(number, most - least + 1)))
            print(line.format(number, *row.format_cells()), flush=True)
            misses = find_missed_targets(row) if number == NUMBERS[-1] else ()
    return misses


def main() -> int:
    """Measure each number; return 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", nargs=2, type=int, action="append", metavar=("LEAST", "MOST"))
    parser.add_argument("numbers", nargs="*", type=int, default=[*NUMBERS])
    options = parser.parse_args()
    # All alike, as tenants mostly are, and almost no two alike, which is the worst.
    misses = [
        miss
        for least, most in options.rows or ((100, 100), (100, 500))
        for miss in print_table(options.numbers, (least, most))
    ]
    for miss in misses:
        print(miss, file=sys.stderr)
    return 1 if misses else 0


if __name__ == "__main__":
    sys.exit(main())
