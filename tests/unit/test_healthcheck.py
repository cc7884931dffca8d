"""The healthcheck: one GET, two exit codes, and nothing imported that is not needed."""

import shlex
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from sidecar import healthcheck
from support import needs
from support.process import PATIENCE
from support.project import environment, sidecar

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\nschema_current\n"
NOT_READY = b"HTTP/1.1 503 Service Unavailable\r\n\r\nschema_behind\n"


@contextmanager
def answer_with(
    reply: bytes, family: socket.AddressFamily = socket.AF_INET, path: str = ""
) -> Iterator[tuple[str, list[bytes]]]:
    """Answer every connection with these bytes; yield the address and the requests seen."""
    address = path or {socket.AF_INET: ("127.0.0.1", 0), socket.AF_INET6: ("::1", 0)}[family]
    server = socket.socket(family)
    server.bind(address)
    server.listen()
    requests: list[bytes] = []

    def answer() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                requests.append(connection.recv(4096))
                connection.sendall(reply)

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    name = server.getsockname()
    host = f"[{name[0]}]" if family is socket.AF_INET6 else name[0]
    shown = f"unix:{name}" if path else f"{host}:{name[1]}"
    try:
        yield shown, requests
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(2 * PATIENCE)


def run(*arguments: str, alone: bool = False, **variables: str) -> "CompletedProcess[str]":
    by_itself = [sys.executable, "-I", "-S", healthcheck.__file__]
    return subprocess.run(
        [*(by_itself if alone else [sidecar(), "healthcheck"]), *arguments],
        check=False, env=environment(**variables),
        capture_output=True, text=True, timeout=10 * PATIENCE,
    )  # fmt: skip


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize(
    ("reply", "code", "body"), [(OK, 0, "schema_current"), (NOT_READY, 1, "schema_behind")]
)
def test_200_exits_with_0_all_else_with_1(
    *, alone: bool, reply: bytes, code: int, body: str
) -> None:
    """The answer's body is shown, for `docker inspect`."""
    with answer_with(reply) as (address, requests):
        ended = run("--url", f"http://{address}", alone=alone)
    assert (ended.returncode, ended.stdout.strip()) == (code, body)
    assert requests[0].startswith(b"GET /readyz HTTP/1.0\r\n")


@pytest.mark.parametrize("stream", [">/dev/full", ">&-"])
def test_the_answer_counts_though_its_words_are_lost(stream: str) -> None:
    """A full disk under the container's log makes no container unhealthy."""
    with answer_with(OK) as (address, _):
        command = [sys.executable, "-I", "-S", healthcheck.__file__, f"--url={address}"]
        line = f"{shlex.join(command)} {stream}"
        assert subprocess.run(["bash", "-c", line], check=False).returncode == 0


def test_live_asks_for_liveness() -> None:
    """--live asks /livez; a path in the URL is asked as it stands."""
    with answer_with(OK) as (address, requests):
        run("--live", "--url", address)
        run(f"--url=http://{address}/startupz")
    assert [request.split()[1] for request in requests] == [b"/livez", b"/startupz"]


def test_follows_the_listener_wherever_it_is(tmp_path: Path) -> None:
    """SIDECAR_LISTEN leads to IPv4 and Unix-socket listeners; the first address counts."""
    with answer_with(OK) as (address, _):
        assert run(SIDECAR_LISTEN=f"{address},unix:/nowhere").returncode == 0
        port = address.rpartition(":")[2]
        for listen in (f"0.0.0.0:{port}", f":{port}", f"[::]:{port}", port):
            assert run(SIDECAR_LISTEN=listen).returncode == 0, listen
    with answer_with(OK, socket.AF_UNIX, str(tmp_path / "s")) as (address, _):
        assert run(SIDECAR_LISTEN=address, alone=True).returncode == 0


@pytest.mark.ipv6
def test_follows_a_listener_on_ipv6() -> None:
    """SIDECAR_LISTEN leads to a listener on IPv6, and on every address."""
    needs.ipv6()
    with answer_with(OK, socket.AF_INET6) as (address, _):
        assert run(SIDECAR_LISTEN=address).returncode == 0
        port = address.rpartition(":")[2]
        assert run(SIDECAR_LISTEN=f"[::]:{port}").returncode == 0


def test_its_timeout_is_for_everything_together() -> None:
    """A server that never answers, or answers a byte at a time, costs 1 s and no more."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        took = []
        for flags in [(), ("--timeout=3s",), ("--timeout=3000ms",)]:
            began = time.monotonic()
            ended = run("--url", f"127.0.0.1:{silent.getsockname()[1]}", *flags)
            took.append(time.monotonic() - began)
            assert (ended.returncode, ended.stderr.strip()) == (1, "healthcheck: no answer in time")
    usual, *longer = took
    assert 0.9 < usual < min(longer)
    assert 2.9 < min(longer) < 5 * PATIENCE


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--url", "127.0.0.1:1"], "no answer: "),
        (["--url", "unix:/nowhere"], "no answer: "),
        (["--url", "nosuchhost.invalid:80"], "no answer: "),
        (["--url", "https://localhost"], "probes are served without TLS"),
        (["--url", "http://h:port"], "'port' is no port"),
        (["--url"], "--url is empty"),
        (["--timeout", "soon"], "--timeout 'soon' is no duration"),
        (["--timeout", "3"], "--timeout '3' is no duration"),
        (["--timeout", "-1s"], "--timeout '-1s' is no duration"),
        (["--verbose"], "unknown argument '--verbose'; see --help"),
    ],
)
def test_a_failure_is_one_line_and_exit_code_1(arguments: list[str], message: str) -> None:
    """The exit code is 1, since Docker knows 0 and 1 only; the line has the cause."""
    ended = run(*arguments)
    assert ended.returncode == 1
    assert message in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_another_protocol_is_no_answer() -> None:
    """Whatever listens there and does not speak HTTP is not ready."""
    with answer_with(b"SSH-2.0-x\r\n") as (address, _):
        assert "that is no HTTP server" in run("--url", address).stderr


def test_without_a_url_it_asks_port_8089() -> None:
    """The default of `serve` is the default of `healthcheck`."""
    both = [("127.0.0.1", 8089), ("::1", 8089)]
    assert healthcheck._target(":8089", "/readyz") == (both, "/readyz")
    assert healthcheck._target("http://[::1]", "/readyz") == ([("::1", 8089)], "/readyz")
    assert healthcheck._target("somehost", "/readyz") == ([("somehost", 8089)], "/readyz")


def test_imports_nothing_that_takes_time() -> None:
    """The command starts like a bare interpreter: no argparse, socket, asyncio, aiohttp or re."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from sidecar.cli import main;"
        " main(['healthcheck', '--url=127.0.0.1:1']); print(*sys.modules)"
    )
    ended = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(Path(healthcheck.__file__).parents[1])],
        check=True, env=environment(), capture_output=True, text=True,
    )  # fmt: skip
    slow = {"aiohttp", "argparse", "asyncio", "msgspec", "re", "socket", "tomllib", "typing"}
    assert not slow & set(ended.stdout.split())
