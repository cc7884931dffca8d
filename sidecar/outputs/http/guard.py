"""Keep hostile or broken clients from taking the listener away from probes.

A connection lives for a limited time, whatever it does, and when there are too many the
oldest goes: a probe needs milliseconds, slow senders and idle crowds need longer.
"""

import asyncio
from typing import Final

CLIENT_TIMEOUT: Final = 10.0
"""How long one connection of a client may last, in seconds."""

MAX_CONNECTIONS: Final = 512
"""Open connections of one listener; the oldest is closed when there are more."""

MAX_LINE_BYTES: Final = 4096
"""The longest request line and the longest header; no body is read."""

MAX_HEADERS: Final = 64
"""The most headers of one request."""

ANSWER: Final = 1.0
"""How long a half-closed connection is kept for its answer, in seconds."""


class Guard:
    """Ends the connections of one listener in time."""

    def __init__(self, *, lifetime: float, limit: int, line: int, headers: int) -> None:
        """Take how long a connection may last, in seconds, and how many there may be.

        `line` bytes are the longest request line and header, `headers` the most in a request.
        """
        self.line = line
        self.headers = headers
        self._lifetime = lifetime
        self._limit = limit
        self._open: dict[asyncio.BaseTransport, asyncio.TimerHandle] = {}

    def enter(self, transport: asyncio.BaseTransport) -> None:
        """Note a new connection; end the oldest where there are too many."""
        if len(self._open) >= self._limit:
            self._abort(next(iter(self._open)))
        loop = asyncio.get_running_loop()
        self._open[transport] = loop.call_later(self._lifetime, self._abort, transport)

    def hurry(self, transport: asyncio.BaseTransport) -> None:
        """Give a connection whose client has nothing more to send just time for its answer."""
        self.leave(transport)
        loop = asyncio.get_running_loop()
        self._open[transport] = loop.call_later(ANSWER, self._abort, transport)

    def leave(self, transport: asyncio.BaseTransport | None) -> None:
        """Forget a connection that has ended."""
        timer = self._open.pop(transport, None) if transport is not None else None
        if timer is not None:
            timer.cancel()

    def close(self) -> None:
        """End every connection."""
        for transport in [*self._open]:
            self._abort(transport)

    def _abort(self, transport: asyncio.BaseTransport) -> None:
        self.leave(transport)
        if isinstance(transport, asyncio.WriteTransport):
            transport.abort()
