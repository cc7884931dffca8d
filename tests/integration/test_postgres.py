"""Reading from a real PostgreSQL: what comes back, and every way to fail."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from sidecar.core.migrations.recorded import Recorded
from sidecar.databases.base import Address, connect
from sidecar.databases.postgres.reader import Postgres
from sidecar.errors import (
    DatabaseDenied,
    DatabaseError,
    DatabaseTimeout,
    DatabaseUnreachable,
)
from support.database import READER, Database
from support.postgres import PASSWORD, Server, free_port

SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'migration-sidecar'"


async def read(address: Address) -> Recorded:
    database = connect(address)
    try:
        return await database.read()
    finally:
        await database.release()


async def refusal(address: Address) -> DatabaseError:
    with pytest.raises(DatabaseError) as caught:
        await read(address)
    text = str(caught.value)
    assert "\n" not in text
    assert PASSWORD not in text
    assert caught.value.exit_code == 20
    return caught.value


@pytest.fixture
async def held(database: Database) -> AsyncIterator[Postgres]:
    found = Postgres(Address(url=database.reader))
    yield found
    await found.release()


async def test_rows_come_back_whole_and_in_order(database: Database) -> None:
    """Every row, duplicates and odd names included, in the order of the ids."""
    database.execute(
        "INSERT INTO django_migrations (id, app, name, applied) VALUES"
        " (2, 'shop', '0002', '2024-01-02 00:00Z'), (1, 'shop', '0001', '2024-01-01 00:00Z'),"
        " (3, 'shop', '0001', '2024-01-03 00:00Z'), (4, 'ünï', '\u2603 x', '2023-01-01 00:00Z')"
    )
    found = await read(Address(url=database.reader))
    assert found.keys() == ["shop.0001", "shop.0002", "shop.0001", "ünï.\u2603 x"]
    assert found.schema == "public"
    assert found.last_applied == 1704240000.0


async def test_an_empty_table_is_an_empty_set(database: Database) -> None:
    """No row is no migration, and no error."""
    found = await read(Address(url=database.reader))
    assert (found.keys(), found.last_applied, found.note) == ([], None, None)


async def test_an_absent_table_is_an_empty_set_with_a_note(database: Database) -> None:
    """Before the first migrate there is no table; that is behind, with a note."""
    database.execute("DROP TABLE django_migrations")
    found = await read(Address(url=database.reader))
    assert (found.text, found.schema) == ("", "public")
    assert found.note == "there is no table django_migrations in public"


async def test_a_table_in_another_schema_is_pointed_out(database: Database) -> None:
    """A table off the search_path is the usual mistake; the note names its schema."""
    database.execute("CREATE SCHEMA tenant")
    database.execute("ALTER TABLE django_migrations SET SCHEMA tenant")
    found = await read(Address(url=database.reader))
    assert found.note == ("there is no table django_migrations in public (there is one in tenant)")


async def test_a_schema_may_be_named_or_set_by_the_search_path(database: Database) -> None:
    """`schemas`, currentSchema and PGOPTIONS all find a table that is not in public."""
    database.execute('CREATE SCHEMA "Ten""ant"')
    database.execute('ALTER TABLE django_migrations SET SCHEMA "Ten""ant"')
    database.execute('GRANT USAGE ON SCHEMA "Ten""ant" TO sidecar_reader')
    database.execute("INSERT INTO \"Ten\"\"ant\".django_migrations VALUES (1, 'a', '1', now())")
    path = '-csearch_path="Ten""ant"'
    for address in (
        Address(url=database.reader, schema='Ten"ant'),
        Address(url=database.reader, options=path),
        Address(url=database.reader + "?currentSchema=%22Ten%22%22ant%22"),
    ):
        found = await read(address)
        assert (found.keys(), found.schema) == (["a.1"], 'Ten"ant')


async def test_an_absent_schema_is_an_empty_set_with_a_note(database: Database) -> None:
    """A tenant that does not exist yet is behind, and the note has the cause."""
    found = await read(Address(url=database.reader, schema="nobody"))
    assert (found.text, found.note) == ("", "there is no schema nobody")


async def test_a_wrong_password_is_denied(database: Database) -> None:
    """The reason is database_denied, and the line names the password."""
    url = database.server.url(database.name, "sidecar_reader", "wrong")
    error = await refusal(Address(url=url))
    assert isinstance(error, DatabaseDenied)
    assert "password authentication failed" in str(error)


async def test_a_password_may_hold_brackets(database: Database) -> None:
    """As they are, the way libpq takes them, in a URL with several hosts."""
    database.execute("CREATE ROLE bracketed LOGIN PASSWORD 'p[x]y['")
    database.execute("GRANT SELECT ON django_migrations TO bracketed")
    url = f"postgresql://bracketed:p[x]y[@127.0.0.1:{free_port()},[::1]:{free_port()}"
    url += f",127.0.0.1:{database.server.port}/{database.name}"
    assert (await read(Address(url=url))).schema == "public"


async def test_an_unknown_role_is_denied(database: Database) -> None:
    """PostgreSQL answers an unknown role as it does a wrong password, and so do we."""
    error = await refusal(Address(url=database.server.url(database.name, "nobody")))
    assert isinstance(error, DatabaseDenied)


async def test_a_wrong_database_is_denied(database: Database) -> None:
    """The reason is database_denied, and the line names the database."""
    error = await refusal(Address(url=database.server.url("nosuch", "sidecar_reader")))
    assert isinstance(error, DatabaseDenied)
    assert 'database "nosuch" does not exist; check the database\'s name' in str(error)


async def test_no_permission_on_the_table_is_denied(database: Database) -> None:
    """The line names what to grant."""
    database.execute("REVOKE SELECT ON django_migrations FROM sidecar_reader")
    error = await refusal(Address(url=database.reader))
    assert isinstance(error, DatabaseDenied)
    assert "permission denied for table django_migrations; GRANT SELECT ON" in str(error)


@pytest.mark.parametrize("schema", [None, "public"])
async def test_no_permission_on_the_schema_is_denied_and_not_an_empty_set(
    database: Database, schema: str | None
) -> None:
    """A schema without USAGE seems absent in the search_path; behind would be wrong."""
    database.execute("REVOKE USAGE ON SCHEMA public FROM PUBLIC, sidecar_reader")
    error = await refusal(Address(url=database.reader, schema=schema))
    assert isinstance(error, DatabaseDenied)
    assert "schema public" in str(error)
    assert "GRANT" in str(error)


async def test_a_table_that_we_may_not_see_is_not_taken_for_the_next_one(
    database: Database,
) -> None:
    """Django, which may use the first schema of the search_path, reads the table there."""
    database.execute('CREATE SCHEMA "My App"; CREATE SCHEMA tools')
    whose = f"ROLE {READER} IN DATABASE {database.name}"
    database.execute(f'ALTER {whose} SET search_path = tools, "My App", public')
    database.execute("INSERT INTO django_migrations VALUES (1, 'shop', '0001', now())")
    assert (await read(Address(url=database.reader))).keys() == ["shop.0001"]
    database.execute('CREATE TABLE "My App".django_migrations (LIKE django_migrations)')
    refused = await refusal(Address(url=database.reader))
    assert isinstance(refused, DatabaseDenied)
    assert "may not use the schema My App" in str(refused)
    named = Address(url=database.reader, schema="public")
    assert (await read(named)).keys() == ["shop.0001"]


async def test_a_row_without_a_time_counts_and_has_none(database: Database) -> None:
    """Django records a time always; whoever inserts by hand may have dropped the constraint."""
    database.execute("ALTER TABLE django_migrations ALTER applied DROP NOT NULL")
    database.execute("INSERT INTO django_migrations (app, name) VALUES ('shop', '0001')")
    found = await read(Address(url=database.reader))
    assert (found.keys(), found.recent) == (["shop.0001"], ())


async def test_a_refused_connection_is_unreachable() -> None:
    """Nobody listens: database_unreachable, with host and port."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    error = await refusal(Address(url=f"postgres://u:p@127.0.0.1:{port}/db"))
    assert isinstance(error, DatabaseUnreachable)
    assert f"127.0.0.1:{port}/db: " in str(error)


async def test_an_unknown_host_is_unreachable() -> None:
    """A name that does not resolve is named as such."""
    error = await refusal(Address(url="postgres://u:p@nosuchhost.invalid/db"))
    assert isinstance(error, DatabaseUnreachable)


async def test_a_server_that_never_answers_is_a_timeout() -> None:
    """The kernel takes the connection and nobody speaks: given up after connect_timeout."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"postgres://u:p@127.0.0.1:{silent.getsockname()[1]}/db"
        error = await refusal(Address(url=address, connect_timeout=0.2))
    assert isinstance(error, DatabaseTimeout)
    assert "no answer within 0.2 s" in str(error)


async def test_a_server_that_stops_answering_is_a_timeout() -> None:
    """A server stopped between two reads on one connection is given up, and comes back."""
    with Server() as server:
        server.execute(
            "CREATE TABLE django_migrations (id int, app text, name text, applied timestamptz)"
        )
        database = Postgres(Address(url=server.url("postgres"), read_timeout=2, connect_timeout=3))
        await database.read()
        server.pause()
        with pytest.raises(DatabaseTimeout):
            await database.read()
        with pytest.raises(DatabaseTimeout):
            await database.read()
        server.resume()
        assert (await database.read()).keys() == []
        await database.release()


@pytest.mark.parametrize("wanted", ["any", "read-write", "prefer-standby"])
async def test_a_silent_host_does_not_hide_the_next_one(database: Database, wanted: str) -> None:
    """After a failover without a reset the first host is silent; each has its own time."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        first = f"@127.0.0.1:{silent.getsockname()[1]},127.0.0.1:"
        url = database.reader.replace("@127.0.0.1:", first) + f"?target_session_attrs={wanted}"
        found = await read(Address(url=url, connect_timeout=2))
    assert found.schema == "public"


async def test_no_host_that_is_wanted_is_unreachable(database: Database) -> None:
    """Where a standby is asked for and there is none, the error names that."""
    error = await refusal(Address(url=database.reader + "?target_session_attrs=standby"))
    assert isinstance(error, DatabaseUnreachable)


async def test_a_locked_table_is_a_timeout_and_leaves_no_waiting_backend(
    database: Database,
) -> None:
    """LOCK TABLE by somebody else: the server itself gives up, and nothing of ours queues."""
    address = Address(url=database.reader, read_timeout=2.1)
    with database.server.connect(database.name) as locker:
        locker.execute("BEGIN; LOCK TABLE django_migrations IN ACCESS EXCLUSIVE MODE")
        for _ in range(3):
            error = await refusal(address)
            assert isinstance(error, DatabaseTimeout)
            assert "django_migrations is locked by another session" in str(error)
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        assert database.execute(waiting) == [(0,)]


async def test_one_connection_serves_many_reads_and_release_closes_it(
    database: Database, held: Postgres
) -> None:
    """Between reads the connection is kept, idle and outside any transaction, until released."""
    for _ in range(3):
        await held.read()
    mine = f"{SESSIONS} AND datname = '{database.name}'"
    assert database.execute(f"{mine} AND state = 'idle'") == [(1,)]
    await held.release()
    for _ in range(50):
        if database.execute(mine) == [(0,)]:
            break
        await asyncio.sleep(0.02)
    assert database.execute(mine) == [(0,)]


async def test_a_connection_that_the_server_ended_is_opened_anew(
    database: Database, held: Postgres
) -> None:
    """After a failed read the next one starts from a new connection."""
    await held.read()
    database.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        f" WHERE application_name = 'migration-sidecar' AND datname = '{database.name}'"
    )
    with pytest.raises(DatabaseUnreachable):
        await held.read()
    assert (await held.read()).keys() == []


async def test_a_read_cannot_write(database: Database) -> None:
    """The transaction is read only: even a view that writes when it is read cannot."""
    database.execute("ALTER TABLE django_migrations RENAME TO actual")
    database.execute(
        "CREATE FUNCTION sly() RETURNS SETOF actual LANGUAGE sql SECURITY DEFINER AS"
        " $$ INSERT INTO public.actual VALUES (1, 'a', '1', now()) RETURNING * $$"
    )
    database.execute("CREATE VIEW django_migrations AS SELECT * FROM sly()")
    database.execute("GRANT SELECT ON django_migrations TO sidecar_reader")
    error = await refusal(Address(url=database.reader))
    assert "read-only transaction" in str(error)
    assert database.execute("SELECT count(*) FROM actual") == [(0,)]


async def test_settings_of_a_read_end_with_its_transaction(held: Postgres) -> None:
    """Behind a pooler the next client must not inherit our timeouts or our search_path."""
    for _ in range(2):
        await held.read()
        assert held._session.connection is not None
        assert await held._session.connection.fetchval("SHOW search_path") == "public"
        for name in ("statement_timeout", "lock_timeout", "transaction_read_only"):
            assert await held._session.connection.fetchval(f"SHOW {name}") in {"0", "off"}


async def test_the_password_is_asked_for_at_every_connect(database: Database) -> None:
    """A secret that was rotated in its file is used at the next connect."""
    secrets = iter(["wrong", PASSWORD])
    url = f"postgresql://sidecar_reader@127.0.0.1:{database.server.port}/{database.name}"
    found = Postgres(Address(url=url, password=lambda: next(secrets)))
    with pytest.raises(DatabaseDenied):
        await found.read()
    assert (await found.read()).keys() == []
    await found.release()
