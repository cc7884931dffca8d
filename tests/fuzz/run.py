"""Throw 100,000 requests at a real sidecar: `make fuzz`.

By schemathesis from docs/openapi.yaml, and by mutation of raw bytes, on a listener in clear and
with TLS, each with a token and without. Every answer is one of ours, no log line is an error, and
a probe is answered at any time.
"""

import argparse
import asyncio
import random
import re
import ssl
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Final

from support import project
from support.access import TOKEN, restrict
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
    *("5\r\nhello", "Range: bytes=0-1", "\xe9", "http://xn--a", "CONNECT ", " HTTP/2.0", "#"),
    *(f"Authorization: Bearer {TOKEN}", "Authorization: Bearer \xe9", "Content-Encoding: gzip"),
)
AT_ONCE = 96
"""Connections at once: many wait a second for an answer that never comes."""
OURS: Final = re.compile(
    rb"HTTP/1\.[01] (200|400|401|404|405|503) [^\r]+\r\n"
    rb"Cache-Control: no-store\r\nServer: migration-sidecar\r\n"
)


def request(chance: random.Random) -> bytes:
    """Return one request: well-formed, mutated, or rubbish."""
    authorization = chance.choice(("", f"Authorization: Bearer {TOKEN}\r\n"))
    head = f"Host: x\r\n{authorization}Connection: close"
    text = f"GET {chance.choice(PATHS)} HTTP/1.1\r\n{head}\r\n\r\n"
    for _ in range(chance.choice((0, 1, 1, 2, 4))):
        at = chance.randrange(len(text) + 1)
        cut = chance.choice((0, 0, 1, 5))
        text = text[:at] + chance.choice(WORDS) + text[at + cut :]
    if chance.random() < 0.05:
        return chance.randbytes(chance.randrange(200))
    return text.encode("latin-1")


async def send(url: str, context: ssl.SSLContext | None, data: bytes) -> bytes:
    """Return the first bytes of the answer; none where none comes."""
    host, port = url.partition("://")[2].split(":")
    try:
        reader, writer = await asyncio.open_connection(host, int(port), ssl=context)
    except OSError:
        return b""
    try:
        writer.write(data)
        if writer.can_write_eof():
            writer.write_eof()
        return await asyncio.wait_for(reader.read(65536), 1.5)
    except (OSError, TimeoutError):
        return b""
    finally:
        writer.transport.abort()


async def storm(
    url: str, context: ssl.SSLContext | None, chance: random.Random, count: int, seconds: float
) -> tuple[Counter[str], list[bytes]]:
    """Throw from several sides at once; return how often each status came, and what failed."""
    statuses: Counter[str] = Counter()
    failed: list[bytes] = []
    requests = (request(chance) for _ in range(count))
    end = time.monotonic() + seconds

    async def throw() -> None:
        for data in requests:
            if time.monotonic() > end:
                return
            answer = await send(url, context, data)
            if not answer:
                statuses["none"] += 1
            elif found := OURS.match(answer):
                statuses[found[1].decode()] += 1
            else:
                failed.append(data)

    await asyncio.gather(*(throw() for _ in range(AT_ONCE)))
    return statuses, failed


def schemathesis(program: str | None, url: str, options: argparse.Namespace, token: bool) -> int:  # noqa: FBT001
    """Run schemathesis, where it is given, on the shipped document; return its exit code."""
    if program is None:
        return 0
    document = project.REPOSITORY / "docs" / "openapi.yaml"
    flags = ["--checks=all", f"--seed={options.seed}", "--max-examples=2000", "--no-color"]
    flags += [f"--max-time={options.seconds / 3:.0f}"]
    if url.startswith("https"):
        flags += ["--tls-verify=false", "--include-path-regex=^/(metrics|status)?$"]
    if token:
        flags += [f"--header=Authorization: Bearer {TOKEN}"]
    command = [program, "run", str(document), f"--url={url}", *flags]
    return subprocess.run(command, check=False).returncode


def fuzz(
    manifest: Path, database: str, options: argparse.Namespace, *, token: bool, tls: bool
) -> tuple[str, bool]:
    """Fuzz one kind of listener; return its row, and whether all was well."""
    flags, context = restrict(manifest.parent, token=token, tls=tls)
    with Sidecar(manifest, *flags, url=database) as sidecar:
        until(sidecar.ready, "the gate opens")
        url = sidecar.listening()[-1]
        code = schemathesis(options.schemathesis, url, options, token)
        began = time.monotonic()
        chance = random.Random(options.seed)  # noqa: S311
        # A handshake for each takes longer than its request: TLS gets a fifth of them.
        count = options.count * (1 if tls else 4) // 10
        statuses, failed = asyncio.run(storm(url, context, chance, count, options.seconds))
        took = time.monotonic() - began
        errors = [line for line in sidecar.log if line["level"] == "error"]
        healthy = sidecar.ready() and sidecar.process.poll() is None
    for data in failed[:5]:
        print(f"not ours: {data!r}")
    for line in errors[:5]:
        print(f"logged: {line['message']}")
    kind = f"{'TLS' if tls else 'clear'}, {'token' if token else 'no token'}"
    answers = ", ".join(f"{statuses[each]} {each}" for each in sorted(statuses))
    by_document = "left out" if options.schemathesis is None else "failed" if code else "passed"
    row = (
        f"| {kind} | {statuses.total() + len(failed)} in {took:.0f} s | {answers} | {len(failed)} "
        f"| {len(errors)} | {'yes' if healthy else 'NO'} | {by_document} |"
    )
    return row, healthy and not (failed or errors or code)


def main() -> int:
    """Fuzz each kind of listener, and print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--seconds", type=float, default=180, help="the longest for each listener")
    parser.add_argument("--schemathesis", help="the program; left out when not given")
    options = parser.parse_args()
    with Server() as server, tempfile.TemporaryDirectory() as folder:
        manifest = Path(folder) / "manifest.json"
        project.bake(manifest).check_returncode()
        database = add_database(server, "shop")
        database.migrate()
        ended = [
            fuzz(manifest, database.reader, options, token=token, tls=tls)
            for tls in (False, True)
            for token in (False, True)
        ]
    print(f"fuzz: seed {options.seed}")
    print("| listener | raw requests | answers | not ours | errors logged | ready | schemathesis |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for row, _ in ended:
        print(row)
    return int(not all(well for _, well in ended))


if __name__ == "__main__":
    sys.exit(main())
