"""Listening addresses: `[::]:8089`, `127.0.0.1:0`, `:8089`, `unix:/run/sidecar.sock`."""

import logging
import socket
import ssl
import stat
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from sidecar.errors import UsageError
from sidecar.outputs.http.accept import BACKLOG, Acceptor
from sidecar.outputs.http.server import Server
from sidecar.outputs.http.tls import TlsConnection

LOG = logging.getLogger("sidecar.listen")

KERNEL_BUFFER: Final = 16384
"""Bytes that the kernel keeps each way: no more can be read, and parsed, at once."""


class Listeners:
    """Servers that are closed together."""

    def __init__(self) -> None:
        """Start with none."""
        self._acceptors: list[Acceptor] = []
        self._protocols: list[Server] = []

    async def __aenter__(self) -> Self:
        """Open nothing yet."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close every server."""
        for acceptor in self._acceptors:
            acceptor.close()
        for protocols in self._protocols:
            await protocols.close()

    def open(
        self,
        protocols: Server,
        addresses: Sequence[str],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Serve connections to each address, and log each. Raises UsageError."""
        self._protocols.append(protocols)
        connect = protocols if tls is None else partial(TlsConnection, protocols, tls)
        for address in addresses:
            bound = bind(address)
            self._acceptors.append(Acceptor(bound, connect))
            url = format_url(bound, secure=tls is not None)
            LOG.info("listening on %s", url, extra={"facts": {"listen": url}})


def bind(address: str) -> socket.socket:
    """Return a socket bound to the address. Raises UsageError when it cannot be had."""
    try:
        if address.startswith("unix:"):
            bound = _bind_unix(Path(address.removeprefix("unix:")))
        else:
            bound = _bind_tcp(*split(address))
    except OSError as error:
        raise UsageError(f"cannot listen on {address}: {error.strerror or error}") from None
    # Accepted connections inherit it.
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BUFFER)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BUFFER)
    return bound


def split(address: str) -> tuple[str, int]:
    """Return host and port of `host:port`, `[v6]:port`, `:port` or `port`."""
    host, _, port = address.rpartition(":")
    if not (port.isascii() and port.isdigit() and int(port) < 65536):
        raise UsageError(f"cannot listen on {address!r}: {port!r} is no port")
    return host.removeprefix("[").removesuffix("]"), int(port)


def format_url(bound: socket.socket, *, secure: bool = False) -> str:
    """Return a bound address as a URL."""
    if bound.family == socket.AF_UNIX:
        return f"unix:{bound.getsockname()}"
    host, port = bound.getsockname()[:2]
    host = {"::": "localhost", "0.0.0.0": "localhost"}.get(host, host)  # noqa: S104 - a text, not bound
    scheme = "https" if secure else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _bind_tcp(host: str, port: int) -> socket.socket:
    if host in {"", "::"}:
        try:
            return socket.create_server(
                ("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=BACKLOG
            )
        except OSError:
            # No IPv6 on this host, or the port is taken: the attempt below shows which.
            host = "0.0.0.0"  # noqa: S104 - a probe comes from the node, not from this pod
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=BACKLOG)


def _bind_unix(path: Path) -> socket.socket:
    if path.exists() and stat.S_ISSOCK(path.stat().st_mode) and _is_stale(path):
        path.unlink()
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        bound.bind(str(path))
        bound.listen(BACKLOG)
    except OSError:
        bound.close()
        raise
    return bound


def _is_stale(path: Path) -> bool:
    """Return whether nobody listens on a socket that a dead process left behind."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return True
    return False
