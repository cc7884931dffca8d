"""One attempt to connect to PostgreSQL, of which nothing is left when it is given up.

When asyncpg's connect is cancelled, it can leave a future that nobody awaits any more, whose
error asyncio then logs ("Future exception was never retrieved"); and it closes TLS politely,
which keeps the socket of a silent server open for another 30 seconds.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, ParamSpec, TypeVar, cast

import asyncpg

if TYPE_CHECKING:
    from ssl import SSLContext

    Made = TypeVar("Made", bound=tuple[asyncio.Transport, object])
    Future = asyncio.Future[object]
Arguments = ParamSpec("Arguments")


async def attempt(
    connect: Callable[[asyncio.AbstractEventLoop], Awaitable[asyncpg.Connection]],
    address: str | None = None,
) -> asyncpg.Connection:
    """Return the connection that `connect` makes with this loop and with `Connection`.

    To `address`, where given, instead of what the host's name resolves to. Raises what
    `connect` raises; its futures and sockets end with it.
    """
    loop = _RecordingLoop(asyncio.get_running_loop(), address)
    try:
        return await connect(cast("asyncio.AbstractEventLoop", loop))
    except BaseException:
        loop.discard()
        raise
    finally:
        loop.stop_recording()


class Connection(asyncpg.Connection):
    """asyncpg's own, which goes by the running loop itself: it asks which task runs there."""

    __slots__ = ()

    def __init__(self, protocol: object, transport: object, _: object, *args: object) -> None:
        """Take what asyncpg gives."""
        loop = asyncio.get_running_loop()
        super().__init__(protocol, transport, loop, *args)  # type: ignore[arg-type]


class _RecordingLoop:
    """The running loop, which notes what is made through it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, address: str | None) -> None:
        self._loop = loop
        self._address = address
        self._recording = True
        self._futures: list[Future] = []
        self._transports: list[asyncio.Transport] = []
        self.create_connection = self._record(self._connect_to_address)
        self.create_unix_connection = self._record(loop.create_unix_connection)

    def __getattr__(self, name: str) -> object:
        return getattr(self._loop, name)

    async def _connect_to_address(
        self,
        protocol: "Callable[[], asyncio.BaseProtocol]",
        host: str,
        port: int,
        ssl: "SSLContext | None" = None,
    ) -> tuple[asyncio.Transport, object]:
        name = host if ssl else None  # What the certificate must name.
        return await self._loop.create_connection(
            protocol, self._address or host, port, ssl=ssl, server_hostname=name
        )

    def create_future(self) -> "Future":
        future: Future = self._loop.create_future()
        if self._recording:
            self._futures.append(future)
        return future

    def _record(
        self, connect: "Callable[Arguments, Awaitable[Made]]"
    ) -> "Callable[Arguments, Awaitable[Made]]":
        async def connect_recorded(*args: Arguments.args, **options: Arguments.kwargs) -> "Made":
            made = await connect(*args, **options)
            self._transports.append(made[0])
            return made

        return connect_recorded

    def stop_recording(self) -> None:
        self._recording = False
        self._futures.clear()
        self._transports.clear()

    def discard(self) -> None:
        for transport in self._transports:
            # Before Python 3.11.4 a TLS transport that asyncpg has closed cannot be aborted.
            with suppress(AttributeError):
                transport.abort()
        for future in self._futures:
            if not future.done():
                future.cancel()
            elif not future.cancelled():
                future.exception()
