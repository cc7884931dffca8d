"""aiohttp's low-level server over a table of endpoints, with limits for every client."""

import asyncio
from collections.abc import Mapping
from typing import Final

from aiohttp import web

from sidecar.outputs.http.app import Answer, refuse, respond
from sidecar.outputs.http.connections import ConnectionLimiter

MAX_LINE_BYTES: Final = 4096
"""The longest request line and the longest header; no body is ever read."""
MAX_HEADERS: Final = 64
MAX_BYTES: Final = 32768
"""What a client may send over one connection."""
MAX_PIPELINED: Final = 8
"""Requests that may wait for the answer to the one before."""
SHUTDOWN_TIMEOUT: Final = 1.0
"""Seconds that requests under way may take once the server closes."""


class Server(web.Server):
    """One listener's connections; an instance is what `loop.create_server` calls for each."""

    limiter: Final[ConnectionLimiter]

    def __init__(self, endpoints: Mapping[str, Answer], limiter: ConnectionLimiter) -> None:
        """Take what answers each path, and what limits the connections."""
        super().__init__(self._handle)
        self._endpoints = endpoints
        self.limiter = limiter

    def __call__(self) -> web.RequestHandler:
        """Return the protocol of a new connection."""
        return _Connection(self, self.limiter)

    async def close(self) -> None:
        """End the requests under way, then every connection."""
        self.pre_shutdown()
        await self.shutdown(SHUTDOWN_TIMEOUT)
        self.limiter.close()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        answer = self._endpoints.get(request.path)
        if answer is None or request.method not in {"GET", "HEAD"}:
            return refuse(request)
        return answer(request)


class _Connection(web.RequestHandler):
    __slots__ = ("_limiter", "_received")

    def __init__(self, server: Server, limiter: ConnectionLimiter) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type]  # as AppRunner passes it
            max_line_size=MAX_LINE_BYTES,
            max_field_size=MAX_LINE_BYTES,
            max_headers=MAX_HEADERS,
            lingering_time=SHUTDOWN_TIMEOUT,
            tcp_keepalive=False,
        )
        self._limiter = limiter
        self._received = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # With TLS, what carries it is counted: before the handshake.
        if transport.get_extra_info("sslcontext") is None:
            self._limiter.add(transport)
        super().connection_made(transport)
        assert self.transport is not None  # noqa: S101 - aiohttp has just set it
        # One answer at a time: the next waits until the client has read it, to the last byte.
        self.transport.set_write_buffer_limits(high=1)

    def data_received(self, data: bytes) -> None:
        """Parse what was received, and close a connection that sends more than any probe."""
        super().data_received(data)
        self._received += len(data)
        too_much = self._received > MAX_BYTES or len(self._messages) > MAX_PIPELINED
        if too_much and self.transport is not None:
            self.transport.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._limiter.remove(self.transport)
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio expects a bool
        """Answer a client that half-closes after its request; TLS knows no half-closing."""
        if self.transport is None or self.transport.get_extra_info("sslcontext"):
            return False
        self._limiter.shorten(self.transport)
        return True

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Refuse what is no HTTP in our own words, without a log line for each."""
        if status >= 500:
            return super().handle_error(request, status, exc, message)
        response = respond(status, b"bad request\n")
        response.force_close()
        return response
