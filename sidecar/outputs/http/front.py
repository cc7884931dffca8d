"""The first to speak with a client: answers plain requests, hands the others on.

Plain is what probes and scrapes are: GET or HEAD of a known path, without a query, a body or
anything that asks for more than an answer. Whatever does not look exactly so goes to somebody
who knows all of HTTP, with every byte of it; nothing is interpreted here that could be
understood in two ways.
"""

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol, cast

LOG = logging.getLogger("sidecar.front")

LONGEST: Final = 4096
"""Bytes of a request that is still plain."""

REQUEST: Final = re.compile(
    rb"(GET|HEAD) (/[a-z]*) HTTP/1\.([01])\r\n"
    rb"((?:[!#$%&'*+.^_`|~0-9A-Za-z-]++:[\t\x20-\x7e]*+\r\n)*+)\r\n"
)
AT_ONCE: Final = 16
"""Requests of one client that are answered before others have their turn."""

BEGINNINGS: Final = (b"GET /", b"HEAD /")

MORE: Final = re.compile(
    rb"\n(?:content-length|transfer-encoding|expect|upgrade|authorization|http2-settings"
    rb"|connection:(?! *(?:close|keep-alive) *\r))"
)
"""Headers of requests that are not plain."""

CLOSE: Final = re.compile(rb"\nconnection: *close *\r")

Ask = Callable[[bytes], tuple[bytes, bytes] | None]
Next = Callable[[], Awaitable[Callable[[], asyncio.Protocol]]]


class Connections(Protocol):
    """What is told of each connection, and how much a request may hold."""

    line: int
    headers: int

    def enter(self, transport: asyncio.BaseTransport) -> None:
        """A connection was made."""

    def leave(self, transport: asyncio.BaseTransport | None) -> None:
        """A connection has ended."""


class Front(asyncio.Protocol):
    """One connection, until it asks for something that is not plain."""

    __slots__ = ("_asks", "_connections", "_full", "_next", "_task", "_transport", "_unread")

    def __init__(self, connections: Connections, asks: Mapping[bytes, Ask], next_: Next) -> None:
        """Take what answers each path, and who comes next."""
        self._connections = connections
        self._asks = asks
        self._next = next_
        self._unread = b""
        self._full = False
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note the connection."""
        self._transport = cast("asyncio.Transport", transport)
        self._connections.enter(transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Forget it."""
        self._connections.leave(self._transport)

    def data_received(self, data: bytes) -> None:
        """Answer what is plain, in the order in which it came."""
        self._unread += data
        if self._task is None and not self._full:
            self._answer()

    def pause_writing(self) -> None:
        """Read no more from a client who does not read."""
        self._full = True
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on."""
        self._full = False
        self._transport.resume_reading()
        self._answer()

    def _answer(self) -> None:
        """Answer some; whoever has sent many in one packet lets others go first."""
        at = 0
        for _ in range(AT_ONCE):
            end = None if self._full else self._answered(at)
            if end is None:
                break
            at = end
        else:
            self._transport.pause_reading()
            asyncio.get_running_loop().call_soon(self._go_on)
        self._unread = self._unread[at:]

    def _go_on(self) -> None:
        if not self._full and not self._transport.is_closing():
            self._transport.resume_reading()
            self._answer()

    def _answered(self, at: int) -> int | None:
        """Answer the request that begins there; return its end, or None if that is not to be."""
        found = REQUEST.match(self._unread, at)
        if found is None or not self._small(found):
            if at < len(self._unread) and not _may_become_plain(self._unread[at:]):
                self._hand_on()
            return None
        method, path, version, _ = found.groups()
        ask = self._asks.get(path)
        headers = found[0].lower()
        answer = None if ask is None or MORE.search(headers) else ask(headers)
        if answer is None:
            self._hand_on()
            return None
        closes = version == b"0" or CLOSE.search(headers) is not None
        head, body = answer
        self._transport.write(
            b"%b%b%b\r\n%b"
            % (
                head,
                _date(int(time.time())),
                b"Connection: close\r\n" if closes else b"",
                body if method == b"GET" else b"",
            )
        )
        if closes:
            self._transport.close()
            return None
        return found.end()

    def _small(self, request: re.Match[bytes]) -> bool:
        few = request[4].count(b"\n") <= self._connections.headers
        return few and len(request[0]) <= min(LONGEST, self._connections.line)

    def _hand_on(self) -> None:
        self._transport.pause_reading()
        self._task = asyncio.get_running_loop().create_task(self._handed_on())

    async def _handed_on(self) -> None:
        try:
            follower = (await self._next())()
        except Exception:
            LOG.exception("a request could not be taken; please report it")
            self._transport.abort()
            return
        if self._transport.is_closing():
            return
        self._transport.set_protocol(follower)
        follower.connection_made(self._transport)
        follower.data_received(self._unread)
        if not self._transport.is_closing():
            self._transport.resume_reading()


def _may_become_plain(unread: bytes) -> bool:
    if len(unread) > LONGEST or b"\r\n\r\n" in unread:
        return False
    return any(unread.startswith(word[: len(unread)]) for word in BEGINNINGS)


_dated = (0, b"")


def _date(second: int) -> bytes:
    """Return the Date header, which is the same for all answers of a second."""
    global _dated  # noqa: PLW0603 - a memory of one value, cheaper than any cache
    if _dated[0] != second:
        text = time.strftime("Date: %a, %d %b %Y %H:%M:%S GMT\r\n", time.gmtime(second))
        _dated = (second, text.encode())
    return _dated[1]
