"""Throw 100,000 requests at a real sidecar: `make fuzz`.

By schemathesis from docs/openapi.yaml, and by mutation of raw bytes. No answer may be a 500,
no log line an error, and a probe is answered at any time.
"""

import argparse
import asyncio
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from support import project
from support.database import add_database
from support.postgres import Server
from support.process import Sidecar, until

PATHS = ("/readyz", "/livez", "/startupz", "/status", "/metrics", "/", "/%2e%2e/x", "*", "http://x")
WORDS = (
    *("GET ", "HEAD ", "POST ", "OPTIONS ", " HTTP/1.1", " HTTP/1.0", "\r\n", "\r\n\r\n", "\n"),
    *("Host: x", "Connection: close", "Content-Length: 5", "Transfer-Encoding: chunked", ":"),
    *("Expect: 100-continue", "Upgrade: websocket", "Accept: application/openmetrics-text"),
    *("Authorization: Bearer x", "?verbose", "?" + "a=b&" * 50, "\x00", "\xff"),
    *("Accept-Encoding: gzip", "Cookie: " + "x" * 500, "X" * 5000, "0\r\n\r\n", "-1", "%00"),
    *("5\r\nhello", "Range: bytes=0-1", "\xe9"),
)
AT_ONCE = 128
"""Connections at once: many wait a second for an answer that never comes."""


def request(chance: random.Random) -> bytes:
    """Return one request: well-formed, mutated, or rubbish."""
    text = f"GET {chance.choice(PATHS)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    for _ in range(chance.choice((0, 1, 1, 2, 4))):
        at = chance.randrange(len(text) + 1)
        cut = chance.choice((0, 0, 1, 5))
        text = text[:at] + chance.choice(WORDS) + text[at + cut :]
    if chance.random() < 0.05:
        return chance.randbytes(chance.randrange(200))
    return text.encode("latin-1")


async def throw(host: str, port: int, chance: random.Random, count: int) -> list[bytes]:
    """Send so many requests, one a connection; return those whose answer was a 500."""
    failed = []
    for _ in range(count):
        data = request(chance)
        try:
            async with asyncio.timeout(5):
                reader, writer = await asyncio.open_connection(host, port)
                writer.write(data)
                writer.write_eof()
                answer = await reader.read()
        except (OSError, TimeoutError):
            continue
        finally:
            writer.close()
        if answer.startswith((b"HTTP/1.1 5", b"HTTP/1.0 5")) and b" 503 " not in answer[:20]:
            failed.append(data)
    return failed


async def storm(sidecar: Sidecar, seed: int, count: int) -> list[bytes]:
    """Throw from several sides at once."""
    host, port = sidecar.url.removeprefix("http://").split(":")
    sides = [
        throw(host, int(port), random.Random(seed + side), count // AT_ONCE)  # noqa: S311
        for side in range(AT_ONCE)
    ]
    return [data for failed in await asyncio.gather(*sides) for data in failed]


def schemathesis(program: str | None, sidecar: Sidecar, seed: int) -> int:
    """Run schemathesis, where it is given, on the shipped document; return its exit code."""
    if program is None:
        return 0
    document = project.REPOSITORY / "docs" / "openapi.yaml"
    flags = ["--checks=all", f"--seed={seed}", "--max-examples=2000", "--no-color"]
    command = [program, "run", str(document), f"--url={sidecar.url}", *flags]
    return subprocess.run(command, check=False).returncode


def main() -> int:
    """Fuzz, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--schemathesis", help="the program; left out when not given")
    options = parser.parse_args()
    with Server() as server, tempfile.TemporaryDirectory() as folder:
        manifest = Path(folder) / "manifest.json"
        project.bake(manifest).check_returncode()
        database = add_database(server, "shop")
        database.migrate()
        with Sidecar(manifest, url=database.reader) as sidecar:
            until(sidecar.ready, "the gate opens")
            code = schemathesis(options.schemathesis, sidecar, options.seed)
            began = time.monotonic()
            failed = asyncio.run(storm(sidecar, options.seed, options.count))
            took = time.monotonic() - began
            errors = [line for line in sidecar.log if line["level"] == "error"]
            healthy = sidecar.ready() and sidecar.process.poll() is None
    for data in failed[:5]:
        print(f"500: {data!r}")
    for line in errors[:5]:
        print(f"logged: {line['message']}")
    print(
        f"fuzz: seed {options.seed}, {options.count} raw requests in {took:.0f} s, "
        f"{len(failed)} answered 500, {len(errors)} logged errors, "
        f"{'still ready' if healthy else 'NOT READY'}"
    )
    return int(bool(failed or errors or code or not healthy))


if __name__ == "__main__":
    sys.exit(main())
