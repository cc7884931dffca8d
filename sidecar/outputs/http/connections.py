"""How many connections a process may have, and for how long each may last.

A connection lives for a limited time, whatever it does, and when there are too many the
oldest is closed: a probe needs milliseconds, slow senders and idle crowds need longer.
"""

import asyncio
import resource
from typing import Final

MAX_CONNECTIONS: Final = 128
"""Times what one may hold, they fit into the memory limit of k8s/: see docs/reliability.md."""
MAX_LIFETIME: Final = 10.0
"""Seconds that one connection may last."""
MAX_HALF_CLOSED: Final = 1.0
"""Seconds that a connection may last once its client has nothing more to send."""


class ConnectionLimiter:
    """Closes the connections of all listeners in time."""

    def __init__(self) -> None:
        """Allow no more connections than there are descriptors for."""
        descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._max_connections = min(MAX_CONNECTIONS, descriptors // 4)
        self._open: dict[asyncio.BaseTransport, asyncio.TimerHandle] = {}

    def add(self, transport: asyncio.BaseTransport) -> None:
        """Note a new connection; close the oldest where there are too many."""
        if len(self._open) >= self._max_connections:
            self._abort(next(iter(self._open)))
        self._set_deadline(transport, MAX_LIFETIME)

    def shorten(self, transport: asyncio.BaseTransport) -> None:
        """Give a half-closed connection just time for its answer."""
        self.remove(transport)
        self._set_deadline(transport, MAX_HALF_CLOSED)

    def remove(self, transport: asyncio.BaseTransport | None) -> None:
        """Forget a connection that has ended."""
        timer = self._open.pop(transport, None) if transport is not None else None
        if timer is not None:
            timer.cancel()

    def close(self) -> None:
        """Close every connection."""
        for transport in [*self._open]:
            self._abort(transport)

    def _set_deadline(self, transport: asyncio.BaseTransport, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._open[transport] = loop.call_later(seconds, self._abort, transport)

    def _abort(self, transport: asyncio.BaseTransport) -> None:
        self.remove(transport)
        if isinstance(transport, asyncio.WriteTransport):
            transport.abort()
