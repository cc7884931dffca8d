"""A database with more schemas than are read every time, and than one connection reads."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import asyncpg
import psycopg
import pytest

from sidecar.core.migrations.recorded import Recorded
from sidecar.core.reason import Reason
from sidecar.databases.base import UNQUERIED_SCHEMAS, Address
from sidecar.databases.postgres.many_schemas import MAX_ALWAYS_READ, PostgresSchemas
from sidecar.databases.postgres.many_schemas_rows import MANY
from sidecar.errors import DatabaseDenied, DatabaseError
from support import schemas
from support.postgres import PASSWORD, Server
from support.process import until

MANY_AND_MORE = MANY + 50
ADD = "INSERT INTO tenant_{}.django_migrations (app, name, applied) VALUES ('shop', 'z', now())"
DELETE = "DELETE FROM tenant_{}.django_migrations WHERE name = 'z'"
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
HELD = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'migration-sidecar'"
OPENED = "SELECT sessions FROM pg_stat_database WHERE datname = 'many'"


@pytest.fixture(scope="module")
def many() -> Iterator[Server]:
    """A server with very many schemas that all have the same rows."""
    with Server() as server:
        schemas.prepare(server, "many")
        schemas.make(server, "many", range(1, MANY_AND_MORE + 1))
        server.execute(f"CREATE ROLE alone LOGIN PASSWORD '{PASSWORD}' CONNECTION LIMIT 1")
        server.execute("GRANT pg_read_all_data TO alone")
        yield server


def reader(server: Server, *names: str, user: str = "postgres") -> PostgresSchemas:
    """Return what reads some schemas, or all of them."""
    url = server.url("many", user)
    patterns = names or ("tenant_*",)
    return PostgresSchemas(Address(url=url, schemas=patterns, read_timeout=2))


@pytest.fixture
async def every(many: Server) -> AsyncIterator[PostgresSchemas]:
    """What reads all schemas, and has done so once."""
    database = reader(many)
    assert counts(await database.read()) == [MANY_AND_MORE]
    yield database
    await database.release()


def counts(recorded: Recorded) -> list[int]:
    """Return how many schemas have each set of rows."""
    return [len(one.schemas) for one in recorded.groups()]


def unlike(recorded: Recorded, most: int = 2) -> list[tuple[str, Reason | None]]:
    """Return the schemas that are in small groups, and why they could not be read."""
    small = (one for one in recorded.groups() if len(one.schemas) <= most)
    return sorted((name, one.failure) for one in small for name in one.schemas)


async def test_one_that_was_migrated_is_found_by_its_counters(
    many: Server, every: PostgresSchemas
) -> None:
    """However many there are, and again when it is taken back."""
    many.execute(ADD.format(MANY), "many")
    assert unlike(await every.read()) == [(f"tenant_{MANY}", None)]
    many.execute(DELETE.format(MANY), "many")
    assert counts(await every.read()) == [MANY_AND_MORE]


async def test_a_role_with_one_connection_reads_all_the_same(many: Server) -> None:
    """The second connection is a help, and nothing that a read depends on."""
    database = reader(many, user="alone")
    assert counts(await database.read()) == [MANY_AND_MORE]
    await database.release()


async def test_very_many_are_read_on_two_connections(many: Server) -> None:
    """Both are closed at once: a backend keeps memory for each table that it has read."""
    before = many.execute(OPENED)
    await reader(many).read()
    until(lambda: many.execute(HELD) == [(0,)], "no session is left")
    assert many.execute(OPENED)[0][0] - before[0][0] == 2


@pytest.mark.parametrize("number", [3, MANY_AND_MORE])
async def test_a_locked_table_is_named_alone(many: Server, number: int) -> None:
    """An open DROP SCHEMA makes one tenant unknown, of few and of many, and not the others."""
    names = [f"tenant_{n}" for n in range(1, 4)] if number == 3 else ["tenant_*"]
    database = reader(many, *names)
    with many.connect("many") as owner, owner.transaction(force_rollback=True):
        owner.execute("DROP SCHEMA tenant_2 CASCADE")
        for _ in range(2):
            recorded = await database.read()
            locked = [("tenant_2", Reason.DATABASE_TIMEOUT)]
            assert [one for one in unlike(recorded) if one[1]] == locked
            assert sum(counts(recorded)) == number
    assert counts(await database.read()) == [number]
    await database.release()


async def test_a_second_connection_to_another_server_reads_nothing(many: Server) -> None:
    """The next host of the URL, or what a balancer chooses, may be a replica that lags."""
    with Server() as other:
        schemas.prepare(other, "many")
        other.execute(f"CREATE ROLE alone LOGIN PASSWORD '{PASSWORD}'")
        other.execute("GRANT pg_read_all_data TO alone")
        both = f"127.0.0.1:{many.port},127.0.0.1:{other.port}"
        url = many.url("many", "alone").replace(f"127.0.0.1:{many.port}", both)
        database = PostgresSchemas(Address(url=url, schemas=("tenant_*",)))
        assert counts(await database.read()) == [MANY_AND_MORE]
        assert other.execute(OPENED)[0][0] > 0
        await database.release()


async def test_a_table_that_goes_away_while_we_wait_for_it_is_missed(many: Server) -> None:
    """Its schema is still there, and with no rows it is behind; a read must not overlook it."""
    database = reader(many, "tenant_5", "tenant_6")
    with many.connect("many") as owner, owner.transaction():
        owner.execute("CREATE TABLE tenant_5.kept AS TABLE tenant_5.django_migrations")
        owner.execute("DROP TABLE tenant_5.django_migrations")
        reading = asyncio.create_task(database.read())
        while not many.execute(WAITING)[0][0]:
            await asyncio.sleep(0.01)
    recorded = await reading
    many.execute("ALTER TABLE tenant_5.kept RENAME TO django_migrations", "many")
    assert [(one.schemas, bool(one.text)) for one in recorded.groups()] == [
        (("tenant_5",), False),
        (("tenant_6",), True),
    ]
    await database.release()


async def test_tenants_that_are_dropped_while_we_read_them_are_forgotten(many: Server) -> None:
    """One after the other, as when a customer's tenants are deleted: none of them is behind."""
    database = reader(many, "doomed_*")
    for number in range(20):
        many.execute(f"CREATE SCHEMA doomed_{number}", "many")
        rows = f"CREATE TABLE doomed_{number}.django_migrations (LIKE tenant_1.django_migrations)"
        many.execute(rows, "many")
        many.execute(f"GRANT USAGE ON SCHEMA doomed_{number} TO PUBLIC", "many")
    with many.connect("many") as owner:
        dropped = asyncio.create_task(asyncio.to_thread(_drop_each, owner))
        while not dropped.done():
            for one in (await database.read()).groups():
                assert not any("doomed" in name for name in one.schemas) or not one.note, one
    await dropped
    await database.release()


def _drop_each(owner: psycopg.Connection) -> None:
    for number in range(20):
        owner.execute(f"DROP SCHEMA doomed_{number} CASCADE")
        time.sleep(0.02)


async def test_a_query_that_cannot_be_asked_yet_is_behind(many: Server) -> None:
    """In a new database its table is made by the migrations; later its loss is no answer."""
    query = "SELECT name FROM public.clients"
    url = many.url("many", "postgres")
    database = PostgresSchemas(Address(url=url, schemas_query=query))
    (one,) = (await database.read()).groups()
    assert (one.text, one.schemas, one.failure) == ("", (UNQUERIED_SCHEMAS,), None)
    many.execute("CREATE TABLE clients AS SELECT 'tenant_1' AS name UNION SELECT NULL", "many")
    assert [one.schemas for one in (await database.read()).groups()] == [("tenant_1",)]
    many.execute("DROP TABLE clients", "many")
    with pytest.raises(DatabaseDenied, match="schemas_query: relation"):
        await database.read()
    await database.release()


@pytest.mark.parametrize("query", ["SELECT FROM WHERE", "SELECT name FROM pg_file_settings"])
async def test_a_query_that_can_never_be_asked_is_denied(many: Server, query: str) -> None:
    """Its own words, and no GRANT on a table that it does not read."""
    database = PostgresSchemas(Address(url=many.url("many", "alone"), schemas_query=query))
    with pytest.raises(DatabaseDenied, match="schemas_query: "):
        await database.read()
    await database.release()


async def test_what_has_no_counters_is_read_every_time(many: Server) -> None:
    """Nothing is counted for a view, or for the parent of a partitioned table."""
    many.execute("CREATE SCHEMA tenant_view", "many")
    many.execute("CREATE TABLE shown AS TABLE tenant_1.django_migrations", "many")
    many.execute("CREATE VIEW tenant_view.django_migrations AS TABLE shown", "many")
    database = PostgresSchemas(Address(url=many.url("many", "postgres"), schemas=("tenant_*",)))
    assert counts(await database.read()) == [MANY_AND_MORE + 1]
    many.execute("DELETE FROM shown WHERE id = 1", "many")
    assert unlike(await database.read()) == [("tenant_view", None)]
    many.execute("DROP SCHEMA tenant_view CASCADE; DROP TABLE shown", "many")
    await database.release()


async def test_who_drops_tenants_is_never_the_victim_of_our_read(many: Server) -> None:
    """We hold some tables and wait for another, so we give up before anybody is ended."""
    database = reader(many, *(f"tenant_{n}" for n in range(10, 15)))
    with many.connect("many") as owner, owner.transaction(force_rollback=True):
        owner.execute("DROP SCHEMA tenant_14 CASCADE")
        reading = asyncio.create_task(database.read())
        while not many.execute(WAITING)[0][0]:
            await asyncio.sleep(0.01)
        await asyncio.to_thread(owner.execute, "DROP SCHEMA tenant_10 CASCADE")
    assert sum(counts(await reading)) == 5
    await database.release()


async def test_a_read_that_fails_at_its_end_is_done_again(many: Server) -> None:
    """What it had read must not count as seen."""
    database = reader(many)
    await database.read()
    many.execute(ADD.format(600), "many")

    async def broken(connection: asyncpg.Connection) -> None:
        await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "_read_run", broken)
        with pytest.raises(DatabaseError):
            await database.read()
    assert unlike(await database.read()) == [("tenant_600", None)]
    many.execute(DELETE.format(600), "many")
    await database.release()


async def test_what_is_locked_is_not_waited_for_again(many: Server) -> None:
    """Only the first read finds out by waiting."""
    names = [f"tenant_{n}" for n in range(1, 4)]
    database = reader(many, *names)
    with many.connect("many") as owner, owner.transaction(force_rollback=True):
        owner.execute("LOCK TABLE tenant_1.django_migrations, tenant_3.django_migrations")
        await database.read()
        for _ in range(5):
            recorded = await database.read()
            assert many.execute(WAITING) == [(0,)]
            assert dict(unlike(recorded))["tenant_3"] is Reason.DATABASE_TIMEOUT
    await database.release()


async def test_a_locked_index_is_a_locked_table(many: Server) -> None:
    """REINDEX keeps the table itself open; what needs the index waits as well."""
    database = reader(many, "tenant_1", "tenant_2")
    with many.connect("many") as owner, owner.transaction(force_rollback=True):
        owner.execute("REINDEX INDEX tenant_1.django_migrations_pkey")
        recorded = await database.read()
        assert ("tenant_1", Reason.DATABASE_TIMEOUT) in unlike(recorded)
        assert ("tenant_2", None) in unlike(recorded)
    await database.release()


async def test_without_counters_every_read_is_full(many: Server) -> None:
    """track_counts may be off: then nothing shows which tables have changed."""
    assert MANY_AND_MORE > MAX_ALWAYS_READ
    many.execute("ALTER DATABASE many SET track_counts = off")
    database = reader(many)
    await database.read()
    with many.connect("many") as writer:
        writer.execute(ADD.format(700))
        assert unlike(await database.read()) == [("tenant_700", None)]
        writer.execute(DELETE.format(700))
    many.execute("ALTER DATABASE many RESET track_counts")
    await database.release()
