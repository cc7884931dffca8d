"""Clients that mean harm, or are broken: probes are answered all the same."""

import contextlib
import resource
import socket
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attacks.stage import attack
from sidecar.outputs.http.connections import MAX_LIFETIME
from support.database import Database
from support.process import PATIENCE, Sidecar, until

SMUGGLED = (
    b"GET /readyz HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"0\r\n\r\nGET /status HTTP/1.1\r\nHost: x\r\n\r\n"
)
CROWD = 10_000
PROBE = b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.fixture
def serving(migrated: Database, manifest: Path) -> Iterator[Sidecar]:
    """A ready sidecar."""
    with Sidecar(manifest, url=migrated.reader) as sidecar:
        until(sidecar.ready, "the gate opens")
        yield sidecar


def connect(sidecar: Sidecar, timeout: float = 10 * PATIENCE) -> socket.socket:
    host, port = sidecar.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=timeout)


def exchange(sidecar: Sidecar, data: bytes) -> bytes:
    """Send bytes; return all that comes back until the server closes."""
    with connect(sidecar) as connection:
        connection.sendall(data)
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        with contextlib.suppress(ConnectionError):
            while piece := connection.recv(65536):
                answer += piece
        return answer


def healthy(sidecar: Sidecar) -> bool:
    """Return whether a probe is answered with 200, and within the second that kubelet waits."""
    began = time.monotonic()
    answer = exchange(sidecar, PROBE)
    return answer.startswith(b"HTTP/1.1 200 ") and time.monotonic() - began < PATIENCE


def probe_time(sidecar: Sidecar) -> float:
    began = time.monotonic()
    assert healthy(sidecar)
    return time.monotonic() - began


def test_slow_senders_are_cut_off(serving: Sidecar) -> None:
    """A header that never ends, or a body that never comes, ends with the connection's time."""
    began = time.monotonic()
    slow = [connect(serving, MAX_LIFETIME + 10) for _ in range(20)]
    for connection in slow[:10]:
        connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    for connection in slow[10:]:
        connection.sendall(b"POST /readyz HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
    assert healthy(serving)
    for connection in slow:
        with connection, contextlib.suppress(ConnectionError):
            while connection.recv(4096):
                pass
    assert time.monotonic() - began < MAX_LIFETIME + 6 * PATIENCE


@pytest.mark.parametrize(
    ("listener", "name"),
    [
        ("plain", "pipeline /x"),
        ("plain", "drip headers"),
        ("unix", "never read /"),
        ("tls", "connect, send nothing"),
        ("in tls", "pipeline /metrics"),
    ],
)
def test_no_attack_ends_it_or_delays_a_probe(
    migrated: Database, manifest: Path, listener: str, name: str
) -> None:
    """Within the shipped memory limit and few descriptors; `make attacks` has many more."""
    outcome = attack(name, listener, manifest, migrated.reader, seconds=4)
    assert outcome.harmless, outcome
    assert max(outcome.probes) < PATIENCE


def test_a_crowd_of_idle_connections_keeps_no_probe_out(serving: Sidecar) -> None:
    """Ten thousand connections: the oldest go, and the median probe takes under 100 ms.

    On a machine too slow for that: under 20 times what it takes with nobody else there.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(CROWD + 1000, hard), hard))
    crowd, took = [], []
    alone = statistics.median(probe_time(serving) for _ in range(20))
    try:
        for number in range(min(CROWD, hard - 1000)):
            crowd.append(connect(serving))
            if number % 250 == 0:
                took.append(probe_time(serving))
        assert statistics.median(took) < max(0.1, 20 * alone)
    finally:
        for connection in crowd:
            connection.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /" + b"x" * 10_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 10_000 + b"\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 1000 + b"\r\n", b"400"),
        (b"BREW /readyz HTTP/1.1\r\nHost: x\r\n\r\n", b"40"),
        (b"GET /readyz HTTP/1.0\r\n\r\n", b"200"),
        (b"HEAD /readyz HTTP/1.0\r\n\r\n", b"200"),
        (b"GET /%00%ff%2e%2e/readyz HTTP/1.0\r\n\r\n", b"404"),
        (b"GET /\xff\xfe HTTP/1.0\r\n\r\n", b"40"),
        (b"GET /readyz HTTP/9.9\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"400"),
        (b"POST /readyz HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
         b"405"),
        (SMUGGLED, b"400"),
        (b"GET /readyz HTTP/1.0\r\nExpect: 100\xe9continue\r\n\r\n", b"200"),
        (b"GET /none HTTP/1.0\r\nExpect: 100-continue\r\n\r\n", b"404"),
    ],
)  # fmt: skip
def test_odd_requests_have_a_plain_answer(serving: Sidecar, request_: bytes, status: bytes) -> None:
    """A request that is too long, unknown, old or smuggled has one answer, and stops no probe."""
    answer = exchange(serving, request_)
    assert answer.split(b" ")[1].startswith(status)
    assert answer.count(b"HTTP/1.") == 1, "one request, one answer"
    assert b"Traceback" not in answer
    assert healthy(serving)
    assert "Traceback" not in serving.text


def test_pipelined_requests_are_answered_in_order(serving: Sidecar) -> None:
    """Several probes in one packet have several answers; more than any client sends have none."""
    kept = PROBE.replace(b"Connection: close\r\n", b"")
    assert exchange(serving, kept * 5 + PROBE).count(b"HTTP/1.1 200 OK") == 6
    assert exchange(serving, kept * 20 + PROBE).count(b"HTTP/1.1 200 OK") < 20


def test_no_bytes_make_it_fail(serving: Sidecar) -> None:
    """Whatever is sent, there is no 500, no traceback, and the next probe is answered."""
    words = st.sampled_from(
        [
            b"GET ",
            b"/readyz",
            b" HTTP/1.1",
            b"\r\n",
            b"Host: x",
            b"?verbose",
            b"\x00",
        ]
    )

    @settings(
        max_examples=300,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(st.lists(st.one_of(words, st.binary(max_size=20)), max_size=12))
    def throw(pieces: list[bytes]) -> None:
        answer = exchange(serving, b"".join(pieces))
        assert b" 500 " not in answer[:20]
        assert b"Traceback" not in answer

    throw()
    assert healthy(serving)
    assert "Traceback" not in serving.text
    assert '"level":"error"' not in serving.text
