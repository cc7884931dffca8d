"""One request, one answer: in our own words, on every listener, whatever the bytes."""

import http.client
import re
import resource
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from support.access import TOKEN, restrict
from support.database import Database
from support.process import PATIENCE, Sidecar, until

HOST: Final = b"Host: x\r\n"
LAST: Final = HOST + b"Connection: close\r\n"

FOUND = 200
"""What the path itself answers: 401 where there is a token to ask for."""

TARGETS: Final = {
    b"/status": FOUND,
    b"/status?verbose=%ff&%00": FOUND,
    b"/status#x": FOUND,
    b"/%73tatus": FOUND,
    b"http://x/status": FOUND,
    b"ftp://x/status": FOUND,
    b"http://xn--a/status": FOUND,
    b"http://[::1%25eth0]/status": FOUND,
    b"http://a..b/status": FOUND,
    b"http://x": 404,
    b"/%0a": 404,
    b"/status%0a": 404,
    b"/%00%ff%2e%2e/status": 404,
    b"/a/../status": 404,
    b"//x/status": 404,
    b"/:80": 404,
    b"/\xff": 400,
    b"/status?\xe9": 400,
    b"/sta\x00tus": 400,
    b"/sta tus": 400,
    b"http:///status": 400,
    b"http://\xe9/status": 400,
    b"http://x:99999/status": 400,
    b"http://[::1/status": 400,
    b"*": 400,
    b"status": 400,
    b"?verbose": 400,
    b"/" + b"x" * 10_000: 400,
}
HEADERS: Final = {
    b"Authorization: Bearer \xe9": FOUND,
    b"Authorization: Bearer \xed\xb3\xa9": FOUND,
    b"Authorization: Basic \xe9": FOUND,
    b"Authorization: \xff": FOUND,
    b"Accept: \xff;q=\xff,\xe9": FOUND,
    b"Expect: cheese": FOUND,
    b"Expect: 100\xe9continue": FOUND,
    b"Range: bytes=0-1\r\nIf-None-Match: *": FOUND,
    b"Upgrade: h2c\r\nHTTP2-Settings: AAA": FOUND,
    b"Authorization: a\x00b": 400,
    b"Authorization: \x7f": 400,
    b"X\x00: a": 400,
    b"\xe9: a": 400,
    b": a": 400,
    b"no colon": 400,
    b"X: a\rb": 400,
    b"X: a\nb": 400,
    b"X: a\r\n folded": 400,
    b"Host: x": 400,
    b"Sec-WebSocket-Key1: x": 400,
    b"Content-Length: -1": 400,
    b"Content-Length: 99999999999999999999999": 400,
    b"Transfer-Encoding: gzip": 400,
    b"X: " + b"x" * 10_000: 400,
    b"X" * 10_000 + b": x": 400,
    b"\r\n".join([b"X: y"] * 100): 400,
}
METHODS: Final = {
    b"OPTIONS *": 405,
    b"OPTIONS /none": 405,
    b"TRACE /status": 405,
    b"CONNECT host:1": 405,
    b"CONNECT xn--a:1": 405,
    b"CONNECT /status": 405,
    b"CONNECT \xe9:1": 400,
    b"CONNECT host:99999": 400,
    b"BREW /status": 400,
    b"get /status": 400,
    b"\x00 /status": 400,
    b"X" * 10_000 + b" /status": 400,
}
GET: Final = b"GET /status HTTP/1.1\r\n" + HOST
POST: Final = b"POST /status HTTP/1.1\r\n" + HOST
NEXT: Final = b"GET /none HTTP/1.1\r\n" + HOST + b"\r\n"
"""What must not be taken for a request."""
WHOLE: Final = {
    b"GET /status HTTP/1.0\r\n\r\n": FOUND,
    b"GET /status HTTP/1.1\r\n\r\n": 400,
    b"GET /status\r\n\r\n": 400,
    b"GET /status HTTP/0.9\r\n\r\n": 400,
    b"GET /status HTTP/1.2\r\n" + HOST + b"\r\n": 400,
    b"GET /status HTTP/2.0\r\n" + HOST + b"\r\n": 400,
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n": 400,
    b"GET /status HTTP/1.1\n" + b"Host: x\n\n": 400,
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03": 400,
    b"\xff": 400,
    # What has a body, or would change the protocol, is the last request of its connection.
    GET + b"Content-Length: 3\r\n\r\nabc" + NEXT: FOUND,
    GET + b"Content-Length: 999\r\n\r\nabc": FOUND,
    POST + b"Content-Length: 3\r\n\r\nabc" + NEXT: 405,
    POST + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n": 405,
    **{
        POST + b"Content-Length: 3\r\nContent-Encoding: %b\r\n\r\nabc" % encoding: 405
        for encoding in (b"gzip", b"br", b"zstd", b"\xe9")
    },
    GET + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + NEXT: FOUND,
    GET + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + NEXT: 400,
    GET + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n": 400,
    b"CONNECT host:1 HTTP/1.1\r\n" + HOST + b"\r\n" + NEXT: 405,
    GET + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81" + NEXT: FOUND,
}  # fmt: skip
REQUESTS: Final = {
    **{b"GET %b HTTP/1.1\r\n%b\r\n" % (target, LAST): TARGETS[target] for target in TARGETS},
    **{b"GET /status HTTP/1.1\r\n%b%b\r\n\r\n" % (LAST, each): HEADERS[each] for each in HEADERS},
    **{b"%b HTTP/1.1\r\n%b\r\n" % (method, LAST): METHODS[method] for method in METHODS},
    **WHOLE,
}
WORDS: Final = {
    400: b"bad request\n",
    401: b"a bearer token is needed\n",
    404: b"not found; try /readyz\n",
    405: b"only GET and HEAD\n",
}
ANSWER: Final = re.compile(
    rb"HTTP/1\.[01] (\d+) [A-Za-z ]+\r\n"
    rb"Cache-Control: no-store\r\nServer: migration-sidecar\r\n"
    rb"Content-Type: [a-z/]+(; charset=utf-8)?\r\n"
    rb"(WWW-Authenticate: Bearer realm=\"migration-sidecar\"\r\n|Allow: GET, HEAD\r\n)?"
    rb"Content-Length: \d+\r\nDate: [A-Za-z0-9:, ]+\r\n(Connection: close\r\n)?\r\n(.*)",
    re.DOTALL,
)


class Listener:
    """A sidecar's listener for the details, in clear or with TLS."""

    def __init__(self, sidecar: Sidecar, context: ssl.SSLContext | None) -> None:
        self.sidecar = sidecar
        self._context = context
        self._address = sidecar.listening()[-1].partition("://")[2].split(":")

    def exchange(self, data: bytes) -> bytes:
        """Send bytes; return all that comes back until the server closes."""
        host, port = self._address
        timeout = 10 * PATIENCE
        connection = socket.create_connection((host, int(port)), timeout=timeout)
        if self._context:
            connection = self._context.wrap_socket(connection, server_hostname=host)
        with connection:
            connection.sendall(data)
            return b"".join(iter(lambda: connection.recv(65536), b""))


@contextmanager
def serve(manifest: Path, url: str, *, token: bool, tls: bool) -> Iterator[Listener]:
    """Start a sidecar that asks for the token, or none; its details with TLS, or in clear."""
    flags, context = restrict(manifest.parent, token=token, tls=tls)
    with Sidecar(manifest, *flags, "--interval=100ms", url=url) as sidecar:
        until(sidecar.ready, "the gate opens")
        yield Listener(sidecar, context)


@pytest.mark.parametrize("tls", [False, True], ids=["clear", "tls"])
@pytest.mark.parametrize("token", [False, True], ids=["open", "token"])
def test_every_request_has_one_answer_of_ours(
    migrated: Database,
    manifest: Path,
    token: bool,  # noqa: FBT001
    tls: bool,  # noqa: FBT001
) -> None:
    """The status of the table, our own words and headers, then the end; no line in the log."""
    wrong = {}
    with serve(manifest, migrated.reader, token=token, tls=tls) as listener:
        for request, expected in REQUESTS.items():
            status = 401 if token and expected == FOUND else expected
            answer = listener.exchange(request)
            found = ANSWER.fullmatch(answer)
            body = WORDS.get(status, found[5] if found else b"")
            if not found or int(found[1]) != status or found[5] != body:
                wrong[request[:80]] = (status, answer)
        logged = [line for line in listener.sidecar.log if line["level"] in {"warning", "error"}]
    assert wrong == {}
    assert logged == []


@pytest.mark.parametrize("token", [False, True], ids=["open", "token"])
def test_what_failed_without_descriptors_is_tried_again(
    migrated: Database,
    manifest: Path,
    token: bool,  # noqa: FBT001
) -> None:
    """The very first requests for details find no descriptor free; the next ones are answered."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    paths = ("/status", "/metrics", "/", "/readyz?verbose")
    with serve(manifest, migrated.reader, token=token, tls=False) as listener:
        sidecar = listener.sidecar
        connection = http.client.HTTPConnection(sidecar.url.partition("://")[2])
        connection.request("GET", "/livez")
        connection.getresponse().read()
        pid = sidecar.process.pid
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (1, limits[1]))
        failed = b""
        for path in paths:
            connection.request("GET", path, headers=headers)
            failed += connection.getresponse().read()
        connection.close()
        assert (WORDS[401] in failed) if token else (b"process_open_fds" not in failed)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        assert [sidecar.get(path, **headers)[0] for path in paths] == [200] * len(paths)
        until(lambda: "process_open_fds" in sidecar.get("/metrics", **headers)[1], "all metrics")
        assert sidecar.ready()
        assert "Traceback" not in sidecar.text
