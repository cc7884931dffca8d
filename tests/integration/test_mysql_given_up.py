"""A connect to MySQL that is given up, at whatever step, leaves no socket behind."""

import asyncio
import select
import socket
import ssl
import struct
from pathlib import Path
from typing import Final

import pytest
import trustme

from sidecar.databases.base import Address
from sidecar.databases.mysql.connection import Connector

GREETING: Final = (
    b"\x0a8.0.36\0" + struct.pack("<I", 7) + b"12345678\0"
    + struct.pack("<HBHH", 0xFFFF, 45, 2, 0x000F) + b"\x15"
    + bytes(10) + b"123456789012\0mysql_native_password\0"
)  # fmt: skip
"""Of a server that has TLS; its secret is nobody's."""

STEPS: Final = 30
"""Iterations of the loop: after so many, a connect waits for the server."""

SOON: Final = 15
"""In seconds. TLS would keep the socket of a server that never answers open for 30."""


class Silent:
    """Speaks with one client up to a step, and then no more."""

    def __init__(self, step: str) -> None:
        """Listen."""
        self.step = step
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.reached = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def hold(self) -> bool:
        """Take the client to the step; return whether it then hangs up soon."""
        connection, _ = self.listener.accept()
        with connection:
            if self.step == "greeting":
                return self._hangs_up(connection)
            connection.sendall(struct.pack("<I", len(GREETING)) + GREETING)
            connection.recv(36, socket.MSG_WAITALL)
            if self.step == "handshake":
                return self._hangs_up(connection)
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            trustme.CA().issue_cert("localhost").configure_cert(context)
            with context.wrap_socket(connection, server_side=True) as secured:
                secured.recv(1)  # It has begun to log in.
                return self._hangs_up(secured)

    def _hangs_up(self, connection: socket.socket) -> bool:
        self._loop.call_soon_threadsafe(self.reached.set)
        poll = select.poll()
        poll.register(connection, select.POLLRDHUP)
        return bool(poll.poll(SOON * 1000))


@pytest.mark.parametrize("step", ["greeting", "handshake", "authentication"])
async def test_the_socket_of_a_silent_server_is_closed_at_once(step: str) -> None:
    """It is closed however far the connect came."""
    silent = Silent(step)
    with silent.listener:
        holding = asyncio.create_task(asyncio.to_thread(silent.hold))
        url = f"mysql://u:p@127.0.0.1:{silent.listener.getsockname()[1]}/db?ssl-mode=REQUIRED"
        connector = Connector(Address(url=url, connect_timeout=600), "test")
        connecting = asyncio.create_task(connector.open())
        await silent.reached.wait()
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting
        assert await holding


def count_descriptors() -> int:
    """Return how many this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_no_socket_is_left_wherever_the_loop_has_come_to() -> None:
    """Nor is the cancellation lost as the socket connects."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        url = f"mysql://u:p@127.0.0.1:{port}/db"
        connector = Connector(Address(url=url, connect_timeout=600), "test")
        opened = count_descriptors()
        for steps in range(STEPS):
            connecting = asyncio.create_task(connector.open())
            for _ in range(steps):
                await asyncio.sleep(0)
            connecting.cancel()
            await asyncio.wait({connecting}, timeout=SOON)
            assert connecting.cancelled()
        await asyncio.sleep(0)  # The loop closes what was aborted.
        assert count_descriptors() == opened
