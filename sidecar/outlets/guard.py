"""Keep hostile or broken clients from taking the listener away from probes.

A connection lives for a limited time, whatever it does, and when there are too many the
oldest goes: a probe needs milliseconds, slow senders and idle crowds need longer.
"""

import asyncio
from typing import Final

from aiohttp import web

ANSWER: Final = 1.0
"""How long a half-closed connection is kept for its answer, in seconds."""


class Guard:
    """Makes the protocol of each connection to one application, and ends connections in time."""

    def __init__(
        self, server: web.Server, *, lifetime: float, limit: int, line: int, headers: int
    ) -> None:
        """Take how long a connection may last, in seconds, and how many there may be.

        `line` bytes are the longest request line and header, `headers` the most in a request.
        """
        self._server = server
        self.line = line
        self.headers = headers
        self._lifetime = lifetime
        self._limit = limit
        self._open: dict[asyncio.BaseTransport, asyncio.TimerHandle] = {}

    def __call__(self) -> asyncio.Protocol:
        """Return the protocol of a new connection (asyncio's protocol factory)."""
        return _GuardedHandler(self, self._server)

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

    def _abort(self, transport: asyncio.BaseTransport) -> None:
        self.leave(transport)
        if isinstance(transport, asyncio.WriteTransport):
            transport.abort()


class _GuardedHandler(web.RequestHandler):
    __slots__ = ("_guard",)

    def __init__(self, guard: Guard, server: web.Server) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type]  # as AppRunner passes it
            max_line_size=guard.line,
            max_field_size=guard.line,
            max_headers=guard.headers,
        )
        self._guard = guard

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._guard.enter(transport)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Refuse what is no HTTP in our own words, and not at length in the log, each time."""
        if status >= 500:
            return super().handle_error(request, status, exc, message)
        headers = {"Server": "migration-sidecar", "Content-Type": "text/plain"}
        response = web.Response(status=status, body=b"bad request\n", headers=headers)
        response.force_close()
        return response

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio asks for a bool
        """Answer a client that half-closes after its request; TLS knows no half-closing."""
        if self.transport is None or self.transport.get_extra_info("sslcontext"):
            return False
        self._guard.hurry(self.transport)
        return True

    def connection_lost(self, exc: BaseException | None) -> None:
        self._guard.leave(self.transport)
        super().connection_lost(exc)
