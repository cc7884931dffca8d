"""Which connections are served, where more arrive than can be.

To accept a connection costs little, to serve one a hundred times as much. So all that wait are
accepted: the kernel never has to drop a probe's. A few at a time are served, of each address
in its order and the newest of each first, and the oldest of whoever has most are closed.
"""

import asyncio
import logging
import socket
import sys
from collections import deque
from collections.abc import Callable
from typing import Final

LOG = logging.getLogger("sidecar.listen")

BACKLOG: Final = 4096
"""Connections that the kernel keeps for us, and that are accepted in one go."""
STARTED_AT_ONCE: Final = 8
"""Few, so that a probe is answered before so many newer ones that it would be closed."""
MAX_WAITING: Final = 128
"""Connections that are accepted and not yet served."""
UNIX_SEND_BUFFER: Final = 4096
"""What is sent to a Unix socket is our memory for as long as its client keeps it unread."""
RETRY_DELAY: Final = 1.0
"""Seconds until accepting is tried again where the machine has no descriptor or memory left."""


class Acceptor:
    """Accepts the connections of one listening socket."""

    def __init__(
        self, listening: socket.socket, connect: Callable[[], asyncio.BaseProtocol]
    ) -> None:
        """Take the socket, and what makes the protocol of each connection; accept at once."""
        self._loop = asyncio.get_running_loop()
        self._listening = listening
        self._connect = connect
        self._waiting: dict[object, deque[socket.socket]] = {}
        self._count = 0
        self._scheduled = False
        self._starting: set[asyncio.Task[object]] = set()
        listening.setblocking(False)
        self._retry: asyncio.Handle = self._loop.call_soon(self._resume)

    def close(self) -> None:
        """Accept no more."""
        self._retry.cancel()
        self._loop.remove_reader(self._listening)
        self._listening.close()
        while self._waiting:
            self._drop_oldest()

    def _resume(self) -> None:
        self._loop.add_reader(self._listening, self._accept)

    def _accept(self) -> None:
        for _ in range(BACKLOG):
            try:
                connection, address = self._listening.accept()
            except (BlockingIOError, ConnectionAbortedError):
                break
            except OSError as error:
                if not self._waiting:
                    self._pause(error)
                    break
                self._drop_oldest()
            else:
                self._enqueue(connection, _identify(connection, address))
        if not self._scheduled:
            self._start_some()

    def _pause(self, error: OSError) -> None:
        LOG.warning("cannot accept a connection: %s", error.strerror or error)
        self._loop.remove_reader(self._listening)
        self._retry = self._loop.call_later(RETRY_DELAY, self._resume)

    def _enqueue(self, connection: socket.socket, peer: object) -> None:
        self._waiting.setdefault(peer, deque()).append(connection)
        self._count += 1
        if self._count > MAX_WAITING:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        """Close the oldest connection of whoever has most."""
        peer = max(self._waiting, key=lambda peer: len(self._waiting[peer]))
        self._waiting[peer].popleft().close()
        self._count -= 1
        if not self._waiting[peer]:
            del self._waiting[peer]

    def _start_some(self) -> None:
        """Start a few, and the others once the loop has served these for a round."""
        for peer in [*self._waiting][:STARTED_AT_ONCE]:
            connections = self._waiting.pop(peer)
            self._start(connections.pop())
            self._count -= 1
            if connections:
                # Behind all others.
                self._waiting[peer] = connections
        self._scheduled = bool(self._waiting)
        if self._scheduled:
            self._loop.call_soon(self._start_some)

    def _start(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        if self._listening.family == socket.AF_UNIX:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UNIX_SEND_BUFFER)
        served = self._loop.connect_accepted_socket(self._connect, connection)
        task = self._loop.create_task(served)
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)


def _identify(connection: socket.socket, address: object) -> object:
    """Return who connects: an address, or a process of this machine."""
    if isinstance(address, tuple):
        return address[0]
    if sys.platform == "linux":
        return connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 4)
    return address
