"""Connecting to MySQL and MariaDB: TLS, passwords, sockets, and what is no such server."""

import asyncio
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode

import pytest

from sidecar.databases.base import Address
from sidecar.databases.mysql.connection import query
from sidecar.databases.mysql.reader import Mysql
from sidecar.errors import (
    DatabaseDenied,
    DatabaseError,
    DatabaseUnreachable,
)
from support import project
from support.mariadb import Server
from support.postgres import PASSWORD
from support.systems import MariaDB

pytestmark = pytest.mark.mariadb

CHECK: Final = "check ssl-mode, ssl-ca and the server's certificate"


async def ends(url: str) -> str:
    """Return `tls` or `clear` where a read succeeds, else the message."""
    database = Mysql(Address(url=url))
    try:
        await database.read()
        assert database._connection is not None
        ((_, cipher),) = await query(database._connection, "SHOW SESSION STATUS LIKE 'Ssl_cipher'")
    except DatabaseError as error:
        return str(error) if PASSWORD not in str(error) else "the password is shown"
    finally:
        await database.release()
    return "tls" if cipher else "clear"


@pytest.mark.parametrize(
    ("asked", "host", "expected"),
    [
        ({}, "127.0.0.1", "tls"),
        ({"ssl-mode": "DISABLED"}, "127.0.0.1", "clear"),
        ({"ssl_mode": "required"}, "127.0.0.1", "tls"),
        ({"ssl-mode": "VERIFY_CA"}, "127.0.0.1", CHECK),
        ({"ssl-ca": "ca.pem"}, "127.0.0.1", "tls"),
        ({"ssl-ca": "other-ca.pem"}, "127.0.0.1", CHECK),
        ({"ssl-ca": "other-ca.pem", "ssl-mode": "REQUIRED"}, "127.0.0.1", "tls"),
        ({"ssl-ca": "ca.pem", "ssl-mode": "VERIFY_IDENTITY"}, "localhost", "tls"),
        ({"ssl-ca": "nosuch.pem"}, "127.0.0.1", "nosuch.pem: No such file or directory"),
    ],
    ids=str,
)
async def test_each_mode_does_what_it_does_in_mysql(
    tls_shop: MariaDB, certificates: Path, asked: dict[str, str], host: str, expected: str
) -> None:
    """Encrypted where it can be, checked where that is asked, never less than asked."""
    parameters = {
        name: str(certificates / value) if value.endswith(".pem") else value
        for name, value in asked.items()
    }
    url = tls_shop.reader.replace("127.0.0.1", host) + f"?{urlencode(parameters)}"
    found = await ends(url)
    assert found == expected or (len(expected) > 5 and found.endswith(expected))


async def test_the_name_is_checked_where_identity_is_asked(
    tls_shop: MariaDB, certificates: Path
) -> None:
    """A certificate for another host is good enough for VERIFY_CA, and no more."""
    tls_shop.server.stop()
    good = dict(tls_shop.server.settings)
    for what in ("crt", "key"):
        option = "ssl-cert" if what == "crt" else "ssl-key"
        tls_shop.server.settings[option] = str(tls_shop.server.folder / f"other-host.{what}")
    tls_shop.server.start()
    ca = f"?ssl-ca={quote(str(certificates / 'ca.pem'))}"
    assert await ends(tls_shop.reader + ca) == "tls"
    assert (await ends(f"{tls_shop.reader}{ca}&ssl-mode=VERIFY_IDENTITY")).endswith(CHECK)
    tls_shop.server.stop()
    tls_shop.server.settings = good
    tls_shop.server.start()


async def test_a_client_certificate_is_shown(tls_shop: MariaDB, certificates: Path) -> None:
    """A user who must have one gets in with it, and not without."""
    tls_shop.execute(f"CREATE USER strict IDENTIFIED BY '{PASSWORD}' REQUIRE X509")
    tls_shop.execute("GRANT SELECT ON shop.* TO strict")
    url = tls_shop.server.url("shop", "strict")
    assert "Access denied" in await ends(url)
    pair = {name: str(certificates / f"client.{end}") for name, end in
            (("ssl-cert", "crt"), ("ssl-key", "key"))}  # fmt: skip
    assert await ends(f"{url}?{urlencode(pair)}") == "tls"


async def test_a_server_without_tls_is_refused_where_tls_is_asked(
    mariadb_server: Server,
) -> None:
    """By default it is taken as it is; nothing that asks for TLS goes on without."""
    system = MariaDB(mariadb_server, "no_tls")
    assert await ends(system.reader) == "clear"
    message = "the server does not support TLS; check ssl-mode"
    assert (await ends(system.reader + "?ssl-mode=REQUIRED")).endswith(message)


async def test_a_server_cannot_talk_us_out_of_the_password() -> None:
    """Asked in plain text for the password itself, we do not send it."""
    greeting = (
        b"\x0a8.0.30\0" + b"\1\0\0\0" + b"salt8888\0" + b"\xff\xf7" + b"\x2d\2\0" + b"\xdf\x81"
        + b"\x15" + b"\0" * 10 + b"salt12121212\0" + b"mysql_native_password\0"
    )  # fmt: skip
    received = b""

    def serve(server: socket.socket) -> None:
        nonlocal received
        client, _ = server.accept()
        with client:
            client.sendall(len(greeting).to_bytes(3, "little") + b"\0" + greeting)
            client.recv(4096)
            switch = b"\xfemysql_clear_password\0"
            client.sendall(len(switch).to_bytes(3, "little") + b"\2" + switch)
            received = client.recv(4096)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, args=(server,))
        thread.start()
        url = f"mysql://u:kanarienvogel@127.0.0.1:{server.getsockname()[1]}/db?ssl-mode=DISABLED"
        with pytest.raises(DatabaseDenied, match="asks for the password in plain text"):
            await Mysql(Address(url=url)).read()
        await asyncio.to_thread(thread.join, 5)
    assert received == b""


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak MySQL's protocol"),
        (b"\0" * 100, "does not speak MySQL's protocol"),
        (b"\x01\0\0\0\x0a", "does not speak MySQL's protocol"),
        (b"\x17\0\0\0\xff\x10\x04Too many connections", "db: Too many connections"),
        (b"", "Lost connection"),
    ],
)
async def test_what_is_no_server_is_unreachable(answer: bytes, message: str) -> None:
    """Whatever answers on that port, it is described in one line."""

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(DatabaseUnreachable, match=message) as caught:
            await Mysql(Address(url=f"mysql://u:p@127.0.0.1:{port}/db")).read()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("password", ["pässwörd ☃", "", "a:b@c/d?e#f"])
async def test_any_password_works(tls_shop: MariaDB, password: str) -> None:
    """Sent as UTF-8, as Django's driver does; from the URL or from a file."""
    user = f"user{len(password)}"
    tls_shop.execute(f"CREATE USER {user} IDENTIFIED BY '{password}'")
    tls_shop.execute(f"GRANT SELECT ON shop.* TO {user}")
    assert await ends(tls_shop.server.url("shop", user, password)) == "tls"
    secrets = iter(["wrong", password])
    database = Mysql(
        Address(url=tls_shop.server.url("shop", user, "x"), password=lambda: next(secrets))
    )
    with pytest.raises(DatabaseDenied):
        await database.read()
    await database.read()
    await database.release()


async def test_the_socket_may_be_named(tls_shop: MariaDB) -> None:
    """As a host that is a path, or as unix_socket."""
    path = quote(tls_shop.server.socket, safe="")
    assert await ends(f"mysql://root@{path}/shop") == "clear"
    assert await ends(f"mysql://root@localhost/shop?unix_socket={path}") == "clear"


def test_without_the_extra_the_error_names_what_to_install(manifest: Path) -> None:
    """One line, and the code of wrong usage; no other system needs the driver."""
    code = (
        "import sys; sys.modules['asyncmy'] = None; from sidecar.cli import main; sys.exit(main())"
    )
    for url, expected in (("mysql://u@127.0.0.1:1/db", 64), ("postgres://u@127.0.0.1:1/db", 20)):
        ended = subprocess.run(
            [sys.executable, "-c", code, "check", f"--manifest={manifest}"],
            check=False,
            env=project.environment(DATABASE_URL=url),
            capture_output=True,
            text=True,
        )
        assert ended.returncode == expected, ended.stderr
        if expected == 64:
            assert "pip install 'migration-sidecar[mysql]'" in ended.stderr
            assert len(ended.stderr.splitlines()) == 1
