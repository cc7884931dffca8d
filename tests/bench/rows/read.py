"""One read of the database: CPU of the client, and of the server's session."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack

import asyncpg

from bench import measure
from bench.rows.growth import executor
from bench.stage import Stage
from bench.table import Line, ahead, at_most, line
from sidecar.databases.base import Address
from sidecar.databases.postgres.reader import Postgres

ONE_MORE = "INSERT INTO django_migrations (app, name, applied) VALUES ('app_000', 'x', now())"
ONE_LESS = "DELETE FROM django_migrations WHERE name = 'x'"
RECORDS = "SELECT app, name, applied FROM django_migrations ORDER BY id"
EACH = {500: 100, 50_000: 5}
SESSIONS = (20, 500)

Costs = dict[str, list[float]]


def run(stage: Stage) -> Iterator[Line]:
    """Yield the lines."""
    for size, limit in ((500, 0.5), (50_000, 40)):
        costs: Costs = {}
        for _ in range(stage.rounds):
            for name, cost in asyncio.run(_read_costs(stage, size)).items():
                costs.setdefault(name, []).append(cost)
        what = f"read, {size:,} rows"
        same = costs["same"]
        yield line(f"{what}, client CPU", same, "ms", at_most(limit, "ms"))
        peer = "the same rows as records (SELECT alone)"
        yield line(f"{what}, client CPU", same, "ms", peer=peer, theirs=costs["records"])
        yield line(f"{what}, one of them new, client CPU", costs["changed"], "ms")
        yield line(
            *(f"{what}, server CPU", costs["server"], "ms"),
            peer=peer,
            theirs=costs["records, server"],
        )
        if size == 500:
            django = [executor(stage, size) for _ in same]
            peer = "Django's executor: connect, load and plan"
            yield line(f"{what}, client CPU", same, "ms", ahead(20), peer=peer, theirs=django)
            yield line("connect, read and close, client CPU", costs["connect"], "ms")
    for count in SESSIONS:
        with ExitStack() as stack:
            for _ in range(count):
                stack.enter_context(stage.server.connect())
            cost_by_name = asyncio.run(_read_costs(stage, 500))
            yield line(f"read, {count} sessions there, server CPU", [cost_by_name["server"]], "ms")


async def _read_costs(stage: Stage, size: int) -> dict[str, float]:
    database, each = stage.database(size), EACH[size]
    postgres = Postgres(Address(url=database.reader, connect_timeout=30, read_timeout=30))
    await postgres.read()
    connection = postgres._session.connection
    assert connection is not None
    session = connection.get_server_pid()
    found: dict[str, float] = {}
    before, server = time.process_time(), measure.cpu(session)
    for _ in range(each):
        await postgres.read()
    found["same"] = (time.process_time() - before) / each
    found["server"] = (measure.cpu(session) - server) / each
    before, server = time.process_time(), measure.cpu(session)
    for _ in range(each):
        await connection.fetch(RECORDS)
    found["records"] = (time.process_time() - before) / each
    found["records, server"] = (measure.cpu(session) - server) / each
    found["changed"] = await _cost_of_a_change(stage, postgres, database.name, each)
    await postgres.release()
    before = time.process_time()
    for _ in range(5):
        await postgres.read()
        await postgres.release()
    found["connect"] = (time.process_time() - before) / 5
    return found


async def _cost_of_a_change(stage: Stage, postgres: Postgres, name: str, each: int) -> float:
    """Return the cost of a read which finds a new row, with what makes keys of the text."""
    spent = 0.0
    admin = await asyncpg.connect(stage.server.url(name))
    for at in range(each):
        await admin.execute(ONE_LESS if at % 2 else ONE_MORE)
        before = time.process_time()
        (await postgres.read()).keys()
        spent += time.process_time() - before
    await admin.execute(ONE_LESS)
    await admin.close()
    return spent / each
