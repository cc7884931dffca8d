"""A connect that is given up, at whatever step, leaves neither futures nor sockets behind."""

import asyncio
import gc
import select
import socket
import ssl
import sys
from typing import Any

import pytest
import trustme

from sidecar.databases.base import Address
from sidecar.databases.postgres.connection import Connector, close
from support.database import Database

STEPS = 30
"""Iterations of the loop: after so many, a connect waits for the server."""


@pytest.mark.parametrize("sslmode", ["disable", "prefer", "require"])
async def test_nothing_is_left_to_be_logged(database: Database, sslmode: str) -> None:
    """Not even where it ends between the connection and the first word."""
    loop = asyncio.get_running_loop()
    logged: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: logged.append(context))
    connector = Connector(Address(url=f"{database.reader}?sslmode={sslmode}"), "test")
    given_up = 0
    for steps in range(STEPS):
        connecting = loop.create_task(connector.open())
        for _ in range(steps):
            await asyncio.sleep(0)
        connecting.cancel()
        try:
            (await connecting).terminate()
        except asyncio.CancelledError:
            given_up += 1
        except ConnectionError:
            assert sslmode == "require"  # The server has no TLS, and was faster.
        del connecting
    await asyncio.sleep(0.05)  # The loop closes what was open.
    gc.collect()
    assert logged == []
    assert given_up  # How often depends on how fast the server refuses.


def hold(listener: socket.socket, negotiation: str) -> bool:
    """Speak TLS with one client and then no more; return whether it hangs up within ten seconds."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    connection, _ = listener.accept()
    if negotiation == "postgres":
        connection.recv(8)
        connection.sendall(b"S")
    else:
        context.set_alpn_protocols(["postgresql"])
    with context.wrap_socket(connection, server_side=True) as silent:
        poll = select.poll()
        poll.register(silent, select.POLLRDHUP)
        return bool(poll.poll(10_000))


@pytest.mark.parametrize("negotiation", ["postgres", "direct"])
async def test_the_socket_of_a_silent_server_is_closed_at_once(negotiation: str) -> None:
    """TLS would have it wait for a goodbye that never comes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = asyncio.create_task(asyncio.to_thread(hold, listener, negotiation))
        url = f"postgresql://u:p@127.0.0.1:{listener.getsockname()[1]}/db?sslmode=require"
        url += f"&sslnegotiation={negotiation}"
        with pytest.raises(TimeoutError):
            await Connector(Address(url=url, connect_timeout=1), "test").open()
        assert await closed or (negotiation == "direct" and sys.version_info < (3, 11, 4))


async def test_a_connection_that_came_about_is_used_as_ever(database: Database) -> None:
    """Queries, limits and the goodbye go by the loop itself."""
    connection = await Connector(Address(url=database.reader), "test").open()
    assert await connection.fetchval("SELECT 1") == 1
    with pytest.raises(TimeoutError):
        await connection.fetchval("SELECT pg_sleep(20)", timeout=0.1)
    assert await connection.fetchval("SELECT 2") == 2
    await close(connection)
    assert connection.is_closed()
