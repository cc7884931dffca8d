"""TLS around a connection, bounded from the moment when it is accepted."""

import asyncio
import ssl
from asyncio.sslproto import SSLProtocol
from typing import Final

from sidecar.outputs.http.server import Server

HANDSHAKE_TIMEOUT: Final = 5
"""Seconds."""
CLOSE_TIMEOUT: Final = 1
"""Seconds for the client to confirm that the connection ends."""


class TlsConnection(SSLProtocol):
    """asyncio's own, which `create_server` would make before anybody could count it."""

    max_size = 16384
    """Bytes of the buffer that each connection has from its start: one record."""

    def __init__(self, server: Server, context: ssl.SSLContext) -> None:
        """Take what answers inside, and the certificate."""
        super().__init__(
            asyncio.get_running_loop(),
            server(),
            context,
            waiter=None,  # type: ignore[arg-type]  # nobody waits, and None is allowed
            server_side=True,
            ssl_handshake_timeout=HANDSHAKE_TIMEOUT,
            ssl_shutdown_timeout=CLOSE_TIMEOUT,
        )
        self._limiter = server.limiter
        self._carrier: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection, and begin the handshake."""
        self._limiter.add(transport)
        self._carrier = transport
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the connection."""
        self._limiter.remove(self._carrier)
        super().connection_lost(exc)
