"""A TCP proxy between sidecar and server that can do what networks do to connections."""

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final, Self

from support.process import PATIENCE

LATE: Final = 6.0
"""How long `DELAY` keeps each piece of an answer, in seconds: longer than anybody waits."""
QUERY: Final = b"string_agg"
"""What a client sends only when it asks for the rows."""


class Mode(Enum):
    """What the proxy does; all but the first two strike connections that exist as well."""

    PASS = auto()
    DELAY = auto()
    """Each piece of an answer comes late."""
    REFUSE = auto()
    """Nobody listens, and connections are reset."""
    SILENT = auto()
    """Connections are taken; nothing, not even their end, is passed on."""
    RESET = auto()
    """The query arrives; instead of its answer comes a reset."""
    TRUNCATE = auto()
    """Half of the answer to the query comes, and then the end."""
    CORRUPT = auto()
    """Bytes of the answers are changed, each connection in another place."""


@dataclass(eq=False)
class _Link:
    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    number: int
    asked: bool = False

    def reset(self) -> None:
        for writer in (self.client, self.server):
            _reset(writer)


class Proxy:
    """Passes connections on to a port of 127.0.0.1, in a thread of its own."""

    def __init__(self, target: int, host: str = "127.0.0.1", port: int = 0) -> None:
        """Take where to pass connections on to, and where to listen."""
        self.target = target
        self.host = host
        self.port = port
        self._mode = Mode.PASS
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._taken = 0
        self._server: asyncio.Server | None = None
        self._place = socket.socket()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> Self:
        """Listen."""
        self._thread.start()
        self._call(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        """End it and every connection."""
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def mode(self) -> Mode:
        """What it does now."""
        return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        self._call(self._become(mode))

    @property
    def connections(self) -> int:
        """How many connections it passes on now."""
        return len(self._links)

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10 * PATIENCE)

    async def _listen(self) -> None:
        self._changed = asyncio.Condition()
        # Bound for as long as the proxy lives: a port that nobody has while it refuses would be
        # given to the next proxy or server, which may be one that answers.
        self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._place.bind((self.host, self.port))
        self.port = self._place.getsockname()[1]
        self._server = await asyncio.start_server(self._take, self.host, self.port)

    async def _become(self, mode: Mode) -> None:
        if mode is Mode.REFUSE and self._server is not None:
            self._server.close()
            self._server = None
            for link in list(self._links):
                link.reset()
        elif mode is not Mode.REFUSE and self._server is None:
            self._server = await asyncio.start_server(self._take, self.host, self.port)
        self._mode = mode
        async with self._changed:
            self._changed.notify_all()

    async def _end(self) -> None:
        if self._server is not None:
            self._server.close()
        self._place.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._pass_on(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _pass_on(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        try:
            await self._speaking()
            answers, server = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            _reset(client)
            return
        except asyncio.CancelledError:
            client.transport.abort()
            raise
        self._taken += 1
        link = _Link(client, server, self._taken)
        self._links.add(link)
        pumps = [
            asyncio.create_task(self._ask(link, reader)),
            asyncio.create_task(self._answer(link, answers)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._links.discard(link)
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            client.close()
            server.close()

    async def _ask(self, link: _Link, source: asyncio.StreamReader) -> None:
        while data := await source.read(65536):
            await self._speaking()
            link.asked = link.asked or QUERY in data
            link.server.write(data)
        await self._speaking()

    async def _answer(self, link: _Link, source: asyncio.StreamReader) -> None:
        while data := await source.read(65536):
            await self._speaking()
            match self._mode:
                case Mode.DELAY:
                    await asyncio.sleep(LATE)
                    link.client.write(data)
                case Mode.RESET if link.asked:
                    link.reset()
                    return
                case Mode.TRUNCATE if link.asked:
                    link.client.write(data[: len(data) // 2])
                    return
                case Mode.CORRUPT:
                    link.client.write(_corrupted(data, link))
                case _:
                    link.client.write(data)
        await self._speaking()

    async def _speaking(self) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self._mode is not Mode.SILENT)


def _reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def _corrupted(data: bytes, link: _Link) -> bytes:
    """Change an answer: every byte, the length of a message, its type, or its end."""
    way = link.number % 4
    if way == 0:
        return bytes(byte ^ 0xA5 for byte in data)
    if not link.asked:  # these ways strike the answer to the query
        return data
    if way == 1:
        return data[:1] + b"\x7f\xff\xff\xff" + data[5:]
    if way == 2:
        return b"\x07" + data[1:]
    return data[:-8] + b"\xff" * 8
