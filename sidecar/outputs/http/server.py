"""aiohttp's low-level server over a table of endpoints, with limits for every client."""

import asyncio
from collections.abc import Mapping
from typing import Final

from aiohttp import HttpVersion10, HttpVersion11, StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_parser import RawRequestMessage

from sidecar.outputs.http.app import Answer, refuse
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

    def _make_request(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: web.RequestHandler,
        writer: AbstractStreamWriter,
        task: "asyncio.Task[None]",
    ) -> web.BaseRequest:
        """Return the request; one of another version of HTTP has no method."""
        if message.url.absolute:
            # aiohttp would decode the host, and give no answer to one that cannot be decoded.
            message = message._replace(url=message.url.relative())
        if message.version not in {HttpVersion10, HttpVersion11}:
            message = message._replace(method="", version=HttpVersion10)
        return super()._make_request(message, payload, protocol, writer, task)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        answer = self._endpoints.get(request.path)
        is_read = request.method in {"GET", "HEAD"}
        if not is_read:
            response = refuse(405 if request.method else 400)
        else:
            response = answer(request) if answer else refuse(404)
        if not is_read or request.body_exists or "Upgrade" in request.headers:
            # What follows may be no request: it is not read as one.
            response.force_close()
        return response


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
            auto_decompress=False,
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
        request: web.BaseRequest,  # noqa: ARG002 - aiohttp's signature
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002
    ) -> web.StreamResponse:
        """Refuse what is no HTTP in our own words; log only what is our own failure."""
        if status >= 500:
            self.log_exception("an answer failed; please report it", exc_info=exc)
        response = refuse(400 if status < 500 else 500)
        response.force_close()
        return response
