"""An application of aiohttp behind a front that has accepted the connections."""

import asyncio
from typing import Final, Protocol

from aiohttp import web

GRACE: Final = 1.0
"""How long requests under way may take once the server closes, in seconds."""


class Connections(Protocol):
    """What is told of each connection, and how much a request may hold."""

    line: int
    headers: int

    def hurry(self, transport: asyncio.BaseTransport) -> None:
        """The client has nothing more to send."""

    def leave(self, transport: asyncio.BaseTransport | None) -> None:
        """A connection has ended."""


class Handlers:
    """Makes the handler of each connection to one application."""

    def __init__(self, app: web.Application, connections: Connections) -> None:
        """Take the application, and what is told of its connections."""
        self._runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=GRACE)
        self._connections = connections

    async def start(self) -> None:
        """Make the application ready."""
        await self._runner.setup()

    async def close(self) -> None:
        """End requests under way."""
        await self._runner.cleanup()

    def __call__(self) -> asyncio.Protocol:
        """Return the protocol of a connection that is there already."""
        assert self._runner.server is not None  # noqa: S101 - started before
        return _Handler(self._connections, self._runner.server)


class _Handler(web.RequestHandler):
    __slots__ = ("_connections",)

    def __init__(self, connections: Connections, server: web.Server) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type]  # as AppRunner passes it
            max_line_size=connections.line,
            max_field_size=connections.line,
            max_headers=connections.headers,
        )
        self._connections = connections

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
        self._connections.hurry(self.transport)
        return True

    def connection_lost(self, exc: BaseException | None) -> None:
        self._connections.leave(self.transport)
        super().connection_lost(exc)
