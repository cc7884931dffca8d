"""The front: plain requests are answered at once, all others reach somebody who knows HTTP."""

import asyncio
import gzip
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.gate.machine import begin
from sidecar.core.gate.snapshot import Identity, Snapshot
from sidecar.outputs.http.front import Front
from sidecar.outputs.http.guard import Guard
from sidecar.outputs.http.plain import Plain

PROBE = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
METRICS = b"# HELP up\n" * 500


class Follower(asyncio.Protocol):
    """Tells what it was handed, and ends the connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(b"handed on: " + data)
        self._transport.close()


class Scrapes:
    """Renders metrics, and counts how often."""

    def __init__(self) -> None:
        self.count = 0

    def render(self, accept: str) -> tuple[bytes, str]:
        self.count += 1
        return METRICS, f"text/plain; for={accept}"


def plain(scrapes: Scrapes | None = None) -> Plain:
    snapshot = Snapshot(
        gate=begin(0.0), targets=(), identity=Identity(None, "", ""), epoch=0.0, started_at=0.0
    )
    render = (scrapes or Scrapes()).render
    return Plain(snapshot, alive=lambda: True, render_metrics=render)


@asynccontextmanager
async def serving(scrapes: Scrapes | None = None) -> AsyncIterator[tuple[str, int]]:
    guard, answers = Guard(lifetime=10, limit=10, line=4096, headers=64), plain(scrapes)

    async def follower() -> Callable[[], asyncio.Protocol]:
        await asyncio.sleep(0)
        return Follower

    asks = {**answers.probes(), **answers.details()}
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Front(guard, asks, follower), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()
    finally:
        server.close()
        guard.close()
        await asyncio.sleep(0.01)  # for the transports to be told


async def exchange(address: tuple[str, int], *parts: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(*address)
    for part in parts:
        writer.write(part)
        await asyncio.sleep(0.01)
    async with asyncio.timeout(5):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_probes_on_one_connection_are_answered_in_order() -> None:
    """Pipelined, split at any byte, GET or HEAD: one answer each, and the last one ends it."""
    async with serving() as address:
        head = b"HEAD /startupz HTTP/1.1\r\n\r\n"
        answer = await exchange(address, PROBE + PROBE[:7], PROBE[7:], head + LAST)
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"200", b"200", b"503", b"200"]
    assert answer.count(b"\r\n\r\nok\n") == 3
    assert answer.count(b"Connection: close") == 1


async def test_many_probes_in_one_packet_do_not_hold_up_others() -> None:
    """Whoever sends a thousand at once waits for all of them; the next client only for some."""
    async with serving() as address:
        crowd = asyncio.create_task(exchange(address, PROBE * 5000 + LAST))
        await asyncio.sleep(0.02)
        assert (await exchange(address, LAST)).startswith(b"HTTP/1.1 200 OK")
        assert not crowd.done()
        assert (await crowd).count(b"HTTP/1.1 200 OK") == 5001


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /status HTTP/1.1\r\n\r\n",
        b"GET /readyz?verbose HTTP/1.1\r\n\r\n",
        b"POST /readyz HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
        b"GET /readyz HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
        b"GET /readyz HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /readyz HTTP/1.1\r\nConnection: upgrade\r\n\r\n",
        b"GET /readyz HTTP/1.1\r\nAccept: application/health+json\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nAccept-Encoding: gzip;q=0\r\n\r\n",
        b"GET /readyz HTTP/1.1\r\nX: \xff\r\n\r\n",
        b"GET /readyz HTTP/1.1\r\n folded\r\n\r\n",
        b"GET /readyz HTTP/1.1\nHost: x\n\n\r\n\r\n",
        b"GET /readyz HTTP/1.1\r\nX: " + b"x" * 5000 + b"\r\n\r\n",
        b"\x16\x03\x01",
    ],
)
async def test_what_is_not_plain_is_handed_on_whole(request_: bytes) -> None:
    """Queries, bodies, tokens, odd headers, rubbish: every byte reaches who comes next."""
    async with serving() as address:
        answer = await exchange(address, PROBE + request_)
    assert answer.partition(b"handed on: ")[2] == request_
    assert answer.count(b"HTTP/1.1 200 OK") == 1


async def test_scrapes_are_rendered_once_for_each_kind_of_client() -> None:
    """Until something changes, a scrape costs no rendering, packed or not."""
    scrapes = Scrapes()
    async with serving(scrapes) as address:
        bare = b"GET /metrics HTTP/1.0\r\n\r\n"
        packed = b"GET /metrics HTTP/1.0\r\nAccept: a\r\nAccept-Encoding: gzip\r\n\r\n"
        answers = [await exchange(address, each) for each in (bare, bare, packed, packed)]
    assert scrapes.count == 2
    head, _, body = answers[-1].partition(b"\r\n\r\n")
    assert gzip.decompress(body) == METRICS
    assert b"for=a" in head
    assert answers[0].endswith(METRICS)


async def test_a_client_that_does_not_read_is_not_read_from() -> None:
    """Scrapes by the hundred thousand, and none is taken: what waits for a client stays small."""
    async with serving() as address:
        _, writer = await asyncio.open_connection(*address, limit=1024)
        writer.write(b"GET /metrics HTTP/1.1\r\n\r\n" * 800_000)
        await asyncio.sleep(0.3)
        assert writer.transport.get_write_buffer_size() > 100_000, "it was all taken"
        writer.transport.abort()
        await asyncio.sleep(0.1)


def pieces() -> Iterator[bytes]:
    yield from (b"GET ", b"HEAD ", b"/livez", b"/readyz", b" HTTP/1.1", b"\r\n", b"\n", b"\r\n\r\n")
    yield from (
        b"Host: x",
        b"Content-Length: 1",
        b"Connection: close",
        b":",
        b" ",
        b"\x00",
        b"\xff",
    )


@given(st.lists(st.sampled_from([*pieces()]), max_size=12))
def test_no_bytes_are_answered_by_two(words: list[bytes]) -> None:
    """Whatever comes, it is answered, handed on, or waited for; never answered without an end."""

    async def play() -> None:
        async with serving() as address:
            answer = await exchange(address, b"".join(words) + b"\r\n\r\n\x00")
        assert answer.count(b"handed on: ") <= 1
        assert answer.count(b"HTTP/1.1 ") <= b"".join(words).count(b"HTTP/1.1")

    asyncio.run(play())
