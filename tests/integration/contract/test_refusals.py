"""Every system fails in the same few ways, each with one line that shows no secret."""

import asyncio
import socket
from contextlib import suppress

import pytest

from sidecar.databases.base import Address, connect
from sidecar.errors import DatabaseDenied, DatabaseError, DatabaseTimeout, DatabaseUnreachable
from support import mariadb, postgres
from support.postgres import PASSWORD
from support.process import until
from support.systems import MariaDB, Postgres, System


async def refusal(address: Address) -> DatabaseError:
    database = connect(address)
    with pytest.raises(DatabaseError) as caught:
        await database.read()
    await database.release()
    text = str(caught.value)
    assert "\n" not in text
    assert PASSWORD not in text
    assert caught.value.exit_code == 20
    return caught.value


@pytest.mark.parametrize("what", ["wrong password", "unknown user", "no database"])
async def test_what_cannot_be_opened_is_an_error_with_its_cause(system: System, what: str) -> None:
    """The line names what to check, and the reason whether waiting helps."""
    if what in system.lacks:
        pytest.skip(system.lacks[what])
    url, error_class, words = system.refused[what]
    error = await refusal(Address(url=url))
    assert type(error) is error_class
    assert words in str(error)


@pytest.mark.asks_for("grants")
@pytest.mark.usefixtures("possible")
async def test_no_permission_is_denied_and_not_an_empty_set(system: System) -> None:
    """The line names what to grant."""
    system.revoke()
    error = await refusal(Address(url=system.reader))
    assert isinstance(error, DatabaseDenied)
    assert "denied" in str(error)
    assert "GRANT SELECT ON" in str(error)


async def test_the_reader_cannot_write(system: System) -> None:
    """Neither a role that may only read nor a file opened read-only takes a row."""
    answer = system.write_as_reader()
    assert "denied" in answer or "readonly" in answer
    assert system.execute("SELECT count(*) FROM django_migrations") == [(0,)]


async def test_a_locked_table_is_a_timeout_and_nothing_queues(system: System) -> None:
    """Somebody else has the table to himself: given up, and no session of ours stays waiting."""
    address = Address(url=system.reader, read_timeout=2.1)
    with system.locked():
        before = system.sessions()
        for _ in range(2):
            error = await refusal(address)
            assert isinstance(error, DatabaseTimeout)
            assert "locked by another" in str(error)
        await asyncio.to_thread(until, lambda: system.sessions() <= before, "nobody waits", 5)
    database = connect(address)
    assert (await database.read()).keys() == []
    await database.release()


@pytest.mark.asks_for("sessions")
@pytest.mark.usefixtures("possible")
async def test_a_session_that_was_ended_is_opened_anew(system: System) -> None:
    """It costs one read at most: the next one starts from a new connection."""
    database = connect(Address(url=system.reader))
    await database.read()
    system.end_sessions()
    await asyncio.to_thread(until, lambda: system.sessions() == 0, "it is ended")
    with suppress(DatabaseUnreachable):
        await database.read()
    assert (await database.read()).keys() == []
    await database.release()


@pytest.mark.parametrize("kind", ["postgresql", pytest.param("mariadb", marks=pytest.mark.mariadb)])
async def test_a_server_that_is_silent_or_down_comes_back(kind: str) -> None:
    """Silent is a timeout, down is unreachable, and afterwards rows are read again."""
    running: postgres.Server | mariadb.Server
    running = postgres.Server() if kind == "postgresql" else mariadb.Server()
    with running:
        system: System
        if isinstance(running, mariadb.Server):
            system = MariaDB(running, "shop")
        else:
            system = Postgres(running, "shop")
        database = connect(Address(url=system.reader, connect_timeout=3, read_timeout=2))
        await database.read()
        running.pause()
        for _ in range(2):
            with pytest.raises(DatabaseTimeout, match="no answer within"):
                await database.read()
        running.resume()
        assert (await database.read()).keys() == []
        await database.release()
        running.stop()
        with pytest.raises(DatabaseUnreachable, match="connection refused"):
            await database.read()
        running.start()
        assert (await database.read()).keys() == []
        await database.release()


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
async def test_a_server_that_never_speaks_is_a_timeout(scheme: str) -> None:
    """The kernel takes the connection and nobody speaks: given up after connect_timeout."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"{scheme}://u:p@127.0.0.1:{silent.getsockname()[1]}/db"
        error = await refusal(Address(url=url, connect_timeout=0.2))
    assert isinstance(error, DatabaseTimeout)
    assert "no answer within 0.2 s" in str(error)
