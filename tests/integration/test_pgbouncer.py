"""Behind a real PgBouncer, under load: the pool is smaller than the crowd that shares it."""

import asyncio
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import psycopg
import pytest

from sidecar.databases.base import Address
from sidecar.databases.postgres.migration_lock import PostgresMigrationLock
from sidecar.databases.postgres.reader import Postgres
from sidecar.errors import (
    DatabaseDenied,
    DatabaseError,
    DatabaseTimeout,
    DatabaseUnreachable,
    UsageError,
)
from support import project
from support.database import MIGRATOR, READER, Database
from support.pgbouncer import POOL, PgBouncer
from support.process import PATIENCE, Sidecar, until

pytestmark = pytest.mark.pgbouncer

MODES = ("session", "transaction")
CROWD = 2 * POOL
ROWS = 50  # of the example project, squashed and squashing ones alike
LEAKS = ("statement_timeout", "lock_timeout", "transaction_read_only", "application_name")

SETTINGS = "SELECT pg_backend_pid(), " + ", ".join(f"current_setting('{name}')" for name in LEAKS)
CLEAN = ("0", "0", "off")

ADVISORY_LOCKS = """
    SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database
     WHERE locktype = 'advisory' AND datname = current_database()
"""

# The rows themselves show which server connection a read was given.
SHOW_PID = """
    ALTER TABLE django_migrations RENAME TO actual;
    CREATE VIEW django_migrations AS
        SELECT id, app, name, applied FROM actual
        UNION ALL SELECT 1000000, 'pid', pg_backend_pid()::text, now();
    GRANT SELECT ON django_migrations TO sidecar_reader;
"""


class Crowd:
    """Clients of the same user and database, so of the same pool; each notes what it is given."""

    def __init__(self, url: str, *, tolerant: bool = False) -> None:
        """Take where to connect; a tolerant crowd outlives lost connections."""
        self._url, self._tolerant = url, tolerant
        self._over = threading.Event()
        self.seen: set[tuple[str, Any, tuple[str, ...]]] = set()
        self.failures: list[str] = []
        self._threads = [
            threading.Thread(target=self._run, args=(name,))
            for name in (f"app-{number}" for number in range(CROWD))
        ]

    @contextmanager
    def pushing(self) -> Iterator["Crowd"]:
        """Keep the pool busy for as long as the block lasts; each client must have been served."""
        for thread in self._threads:
            thread.start()
        try:
            until(lambda: bool(self.failures) or len(self.names) == CROWD, "all are served")
            yield self
        finally:
            self._over.set()
            for thread in self._threads:
                thread.join(30 * PATIENCE)
        assert self.failures == []
        leaked = {given for name, _, given in self.seen if given != (*CLEAN, name)}
        assert leaked == set(), f"of {LEAKS}"

    @property
    def names(self) -> set[str]:
        return {name for name, _, _ in self.seen.copy()}

    @property
    def pids(self) -> set[Any]:
        return {pid for _, pid, _ in self.seen.copy()}

    def _run(self, name: str) -> None:
        while not self._over.is_set():
            try:
                self._session(name)
            except psycopg.Error as error:
                if not self._tolerant:
                    self.failures.append(f"{name}: {error}")
                    return

    def _session(self, name: str) -> None:
        with psycopg.connect(
            self._url,
            autocommit=True,
            prepare_threshold=None,
            connect_timeout=20,
            application_name=name,
        ) as connection:
            for _ in range(5):
                with connection.transaction():
                    (row,) = connection.execute(SETTINGS).fetchall()
                    connection.execute("SELECT pg_sleep(0.002)")
                self.seen.add((name, row[0], row[1:]))


@pytest.fixture(params=MODES)
def pooled(request: pytest.FixtureRequest, migrated: Database, tmp_path: Path) -> Iterator[Any]:
    with PgBouncer(migrated.server, tmp_path, pool_mode=request.param) as running:
        yield running


@pytest.fixture
def by_transaction(migrated: Database, tmp_path: Path) -> Iterator[PgBouncer]:
    with PgBouncer(migrated.server, tmp_path, pool_mode="transaction") as running:
        yield running


async def refusal(address: Address) -> DatabaseError:
    database = Postgres(address)
    with pytest.raises(DatabaseError) as caught:
        await database.read()
    await database.release()
    return caught.value


@contextmanager
def warmed(pooled: PgBouncer, database: Database, count: int) -> Iterator[str]:
    """Leave so many server connections idle in the pool; give the URL to be used."""
    url = pooled.url(database.name, MIGRATOR)
    with ExitStack() as clients:
        for _ in range(count):
            client = clients.enter_context(psycopg.connect(url, prepare_threshold=None))
            client.execute("SELECT 1")
    yield url


@pytest.mark.parametrize(
    ("mode", "count", "order"),
    [("session", 0, "0"), ("session", 3, "1"), *product(["transaction"], range(4), "01")],
)
async def test_a_lock_is_held_through_session_pooling_alone(
    migrated: Database, tmp_path: Path, mode: str, count: int, order: str
) -> None:
    """Transaction pooling is refused in whatever order it gives servers; no lock is left there."""
    settings = {"server_round_robin": order, "default_pool_size": "3"}
    with (
        PgBouncer(migrated.server, tmp_path, pool_mode=mode, **settings) as pooled,
        warmed(pooled, migrated, count) as url,
    ):
        lock = PostgresMigrationLock(Address(url=url))
        if mode == "session":
            assert await lock.acquire()
            assert await lock.held()
        else:
            with pytest.raises(UsageError, match="transaction pooling"):
                await lock.acquire()
        await lock.release()
        until(lambda: migrated.execute(ADVISORY_LOCKS) == [(0,)], "no lock is left")


async def test_reads_share_server_connections_and_leave_nothing_on_them(
    pooled: PgBouncer, migrated: Database
) -> None:
    """Each read is whole on whatever connection it is given, and the next client finds no trace."""
    migrated.execute(SHOW_PID)
    url = pooled.url(migrated.name, READER)
    database = Postgres(Address(url=url, read_timeout=30, connect_timeout=30))
    given: list[str] = []
    with Crowd(url).pushing() as crowd:
        async with asyncio.timeout(90 * PATIENCE):
            while len(given) < 100 or len(set(given)) < POOL:
                *rows, pid = (await database.read()).keys()
                assert len(rows) == ROWS
                given.append(pid)
                # By session, a connection changes hands when a client leaves.
                if len(given) % 5 == 0:
                    await database.release()
        await database.release()
    assert {f"pid.{pid}" for pid in crowd.pids} >= set(given), "hands have changed"


async def test_failed_reads_leave_nothing_behind_either(
    pooled: PgBouncer, migrated: Database
) -> None:
    """A read that ends in a lock timeout takes its settings with it, and cancels nobody else."""
    url = pooled.url(migrated.name, READER)
    database = Postgres(Address(url=url, read_timeout=0.4, connect_timeout=30))
    with Crowd(url).pushing(), migrated.server.connect(migrated.name) as locker:
        locker.execute("BEGIN; LOCK TABLE django_migrations IN ACCESS EXCLUSIVE MODE")
        for _ in range(5):
            with pytest.raises(DatabaseTimeout):
                await database.read()
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    assert migrated.execute(waiting) == [(0,)]
    assert len((await database.read()).keys()) == ROWS
    await database.release()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_gate_opens_and_holds_through_a_restart_of_pgbouncer(
    pooled: PgBouncer, migrated: Database, manifest: Path, number: signal.Signals
) -> None:
    """Under load: ready, still ready with a warning while PgBouncer is away, then open again."""
    url = pooled.url(migrated.name, READER)
    flags = ("--interval=100ms", "--connect-timeout=20s", "--read-timeout=20s")
    with Crowd(url, tolerant=True).pushing(), Sidecar(manifest, *flags, url=url) as sidecar:
        until(sidecar.ready, "the gate opens")
        pooled.stop(number)
        until(lambda: sidecar.status()["phase"] == "holding", "it holds")
        assert sidecar.ready()
        assert "warning: database_unreachable" in sidecar.get("/readyz?verbose")[1]
        pooled.start()
        until(lambda: sidecar.status()["phase"] == "open", "it recovers", within=40)
        assert sidecar.ready()
        assert sidecar.stop() == 0


def test_a_paused_pgbouncer_is_a_timeout_that_an_open_gate_outlives(
    by_transaction: PgBouncer, migrated: Database, manifest: Path
) -> None:
    """PAUSE, as in a failover, queues every client: database_timeout, held, over with RESUME."""
    flags = ("--interval=100ms", "--read-timeout=300ms")
    url = by_transaction.url(migrated.name, READER)
    with Sidecar(manifest, *flags, url=url) as sidecar:
        until(sidecar.ready, "the gate opens")
        by_transaction.admin("PAUSE")
        held = "holding: database_timeout"
        until(lambda: held in sidecar.get("/readyz?verbose")[1], "it holds", within=40)
        assert sidecar.ready()
        by_transaction.admin("RESUME")
        until(lambda: sidecar.status()["phase"] == "open", "it recovers", within=40)


def test_an_open_gate_is_no_client_of_pgbouncer(
    pooled: PgBouncer, migrated: Database, manifest: Path
) -> None:
    """Between reads max_client_conn is not spent on us, nor a connection of the pool."""

    def clients() -> list[str]:
        return [row["user"] for row in pooled.admin("SHOW CLIENTS") if row["user"] == READER]

    with Sidecar(manifest, url=pooled.url(migrated.name, READER)) as sidecar:
        until(sidecar.ready, "the gate opens")
        until(lambda: clients() == [], "it has left")
        assert sidecar.ready()


def test_migrations_behind_pgbouncer_open_the_gate(
    database: Database, tmp_path: Path, manifest: Path
) -> None:
    """Not ready while migrate runs beside it, open a moment after the last migration."""
    with PgBouncer(database.server, tmp_path, pool_mode="transaction") as pooled:
        url = pooled.url(database.name, READER)
        with Crowd(url).pushing(), Sidecar(manifest, url=url) as sidecar:
            until(lambda: sidecar.get("/readyz") == (503, "schema_behind\n"), "it has read")
            database.migrate()
            until(sidecar.ready, "the gate opens")


def test_statement_mode_is_refused_with_what_to_change(
    migrated: Database, tmp_path: Path, manifest: Path
) -> None:
    """One statement a connection allows no read: database_denied, and pool_mode by its name."""
    with PgBouncer(migrated.server, tmp_path, pool_mode="statement") as pooled:
        url = pooled.url(migrated.name, READER)
        ended = subprocess.run(
            [project.sidecar(), "check", f"--manifest={manifest}"],
            check=False, env=project.environment(DATABASE_URL=url), capture_output=True, text=True,
        )  # fmt: skip
        assert (ended.returncode, ended.stderr) == (20, "")
        output = " ".join(ended.stdout.split())
        assert "database_denied: 127.0.0.1:" in output
        assert "set pool_mode to transaction or session for the sidecar" in output
        with Sidecar(manifest, url=url) as sidecar:
            until(lambda: "database_denied" in sidecar.get("/readyz")[1], "it has read")
            assert not sidecar.ready()
            assert "pool_mode" in sidecar.get("/readyz?verbose")[1]


@pytest.mark.parametrize(
    ("database", "user", "password", "words"),
    [
        ("", READER, "wrong", "SASL authentication failed; check user and password"),
        ("", "nosuchrole", "wrong", "SASL authentication failed; check user and password"),
        ("nosuch", READER, None, '"nosuch" does not exist; check the database\'s name'),
    ],
)
async def test_what_pgbouncer_refuses_is_denied(
    by_transaction: PgBouncer,
    migrated: Database,
    database: str,
    user: str,
    password: str | None,
    words: str,
) -> None:
    """PgBouncer gives all its refusals one SQLSTATE; the reason is as without PgBouncer."""
    secret = {} if password is None else {"password": password}
    error = await refusal(
        Address(url=by_transaction.url(database or migrated.name, user, **secret))
    )
    assert isinstance(error, DatabaseDenied), error
    assert words in str(error)


@pytest.mark.parametrize("way", ["currentSchema", "PGOPTIONS"])
async def test_startup_options_are_followed_or_their_refusal_is_explained(
    by_transaction: PgBouncer, migrated: Database, way: str
) -> None:
    """A search_path asked for at connect is never passed over; a refusal names `schemas`."""
    migrated.execute("CREATE SCHEMA tenant")
    migrated.execute(f"GRANT USAGE ON SCHEMA tenant TO {READER}")
    migrated.execute("CREATE TABLE tenant.django_migrations (LIKE public.django_migrations)")
    migrated.execute(f"GRANT SELECT ON tenant.django_migrations TO {READER}")
    url = by_transaction.url(migrated.name, READER)
    options = "-csearch_path=tenant" if way == "PGOPTIONS" else None
    address = Address(url=url if options else f"{url}?currentSchema=tenant", options=options)
    if by_transaction.version() < (1, 20):
        error = await refusal(address)
        assert isinstance(error, DatabaseDenied), error
        assert "unsupported startup parameter" in str(error)
        assert "schemas" in str(error)
    else:
        # It takes options, and keeps for each client what the server reports: the search_path,
        # since PostgreSQL 18.
        database = Postgres(address)
        found = await database.read()
        await database.release()
        assert (found.schema, found.keys()) == ("tenant", [])


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"max_client_conn": str(POOL)}, "no more connections allowed"),
        ({"query_wait_timeout": "1"}, "query_wait_timeout"),
    ],
)
async def test_a_full_pgbouncer_is_unreachable_in_its_own_words(
    migrated: Database, tmp_path: Path, setting: dict[str, str], words: str
) -> None:
    """Too many clients, or too long a queue: nothing to grant, something to wait for."""
    with PgBouncer(migrated.server, tmp_path, pool_mode="session", **setting) as pooled:
        url = pooled.url(migrated.name, READER)
        with psycopg.connect(url) as first, psycopg.connect(url) as second:
            for connection in (first, second):
                connection.execute("SELECT 1")
            error = await refusal(Address(url=url))
        assert isinstance(error, DatabaseUnreachable)
        assert words in str(error)


async def test_a_named_schema_is_proof_against_what_other_clients_leave_behind(
    by_transaction: PgBouncer, migrated: Database
) -> None:
    """By transaction, a SET of another client stays; with `schemas` it misleads no read."""
    url = by_transaction.url(migrated.name, READER)
    for _ in range(POOL):
        with psycopg.connect(url, autocommit=True, prepare_threshold=None) as rude:
            rude.execute("SET search_path = pg_catalog; SET statement_timeout = 1")
    database = Postgres(Address(url=url, schema="public"))
    for _ in range(10):
        assert len((await database.read()).keys()) == ROWS
    await database.release()
