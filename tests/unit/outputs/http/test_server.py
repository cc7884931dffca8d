"""What a client sees of a failure of our own."""

import asyncio

import pytest
from aiohttp import web

from sidecar.outputs.http.connections import ConnectionLimiter
from sidecar.outputs.http.server import Server


async def test_an_answer_that_fails_is_a_500_in_our_own_words(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Neither the library's version nor what went wrong is shown; the log has it."""

    def fail(_: web.BaseRequest) -> web.Response:
        raise RuntimeError("a secret")

    server = Server({"/": fail}, ConnectionLimiter())
    listener = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    async with listener:
        reader, writer = await asyncio.open_connection(*listener.sockets[0].getsockname())
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = await reader.read()
        writer.close()
        await server.close()
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert answer.endswith(b"\r\n\r\ninternal error; the log has it\n")
    assert answer.count(b"\r\nServer: ") == answer.count(b"\r\nServer: migration-sidecar\r\n") == 1
    (record,) = caplog.records
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "a secret"
