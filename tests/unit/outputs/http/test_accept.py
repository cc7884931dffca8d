"""Which connections are served."""

import asyncio
import os
import resource
import socket
from contextlib import ExitStack, closing

import pytest

from sidecar.outputs.http.accept import MAX_WAITING, STARTED_AT_ONCE, Acceptor
from sidecar.outputs.http.listen import bind
from support.process import PATIENCE


class Served(asyncio.Protocol):
    """A connection that notes whose it is."""

    def __init__(self, peers: list[str]) -> None:
        self._peers = peers

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note the address, and close."""
        self._peers.append(transport.get_extra_info("peername")[0])
        transport.close()


async def serve(acceptor: Acceptor, peers: list[str], count: int) -> None:
    """Serve until so many were, and stop."""
    with closing(acceptor):
        async with asyncio.timeout(PATIENCE):
            while len(peers) < count:
                await asyncio.sleep(0.001)


def test_a_crowd_of_one_address_keeps_nobody_else_waiting() -> None:
    """Whoever has fewest is served among the first, and the crowd's oldest are closed."""
    peers: list[str] = []

    async def run(listening: socket.socket) -> None:
        await serve(Acceptor(listening, lambda: Served(peers)), peers, MAX_WAITING)

    with ExitStack() as opened:
        listening = bind("127.0.0.1:0")
        for address in ("127.0.0.2", *["127.0.0.1"] * 2 * MAX_WAITING):
            client = socket.create_connection(listening.getsockname(), PATIENCE, (address, 0))
            opened.enter_context(client)
        asyncio.run(run(listening))
    assert "127.0.0.2" in peers[:STARTED_AT_ONCE]
    assert len(peers) == MAX_WAITING


def test_without_descriptors_it_tries_again_later(caplog: pytest.LogCaptureFixture) -> None:
    """One line, no spinning, and the connection that waited is served."""
    peers: list[str] = []
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    async def run(listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        acceptor = Acceptor(listening, lambda: Served(peers))
        free = os.dup(0)
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
        loop.call_later(0.5, resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        await serve(acceptor, peers, 1)

    listening = bind("127.0.0.1:0")
    try:
        with socket.create_connection(listening.getsockname(), PATIENCE):
            asyncio.run(run(listening))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert [record.getMessage() for record in caplog.records] == [
        "cannot accept a connection: Too many open files"
    ]
