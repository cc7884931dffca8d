"""What is MySQL's and MariaDB's own: TLS, passwords, character sets, limits, and the turn."""

import asyncio
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode

import pytest

from sidecar.databases import Address
from sidecar.databases.mysql import Mysql
from sidecar.databases.mysql_connect import query
from sidecar.databases.mysql_turn import MysqlTurn
from sidecar.errors import (
    DatabaseDenied,
    DatabaseError,
    DatabaseTimeout,
    DatabaseUnreachable,
)
from support import project
from support.mariadb import Server
from support.postgres import PASSWORD
from support.systems import MariaDB
from support.tls import make_certificates

CHECK: Final = "check ssl-mode, ssl-ca and the server's certificate"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates, good and bad ones."""
    folder = tmp_path_factory.mktemp("certificates")
    make_certificates(folder)
    return folder


@pytest.fixture(scope="module")
def tls(certificates: Path) -> Iterator[Server]:
    """A server with TLS, which makes all text Latin 1 unless it is told otherwise."""
    server = Server(skip_character_set_client_handshake="on", character_set_server="latin1")
    for name in ("ca.pem", "good.crt", "good.key", "other-host.crt", "other-host.key"):
        copy = server.folder / name
        copy.write_bytes((certificates / name).read_bytes())
        copy.chmod(0o644)
    server.settings |= {
        f"ssl-{what}": str(server.folder / name)
        for what, name in {"ca": "ca.pem", "cert": "good.crt", "key": "good.key"}.items()
    }
    with server:
        yield server


@pytest.fixture(scope="module")
def shop(tls: Server) -> MariaDB:
    """A database of that server."""
    return MariaDB(tls, "shop")


async def ends(url: str) -> str:
    """Return `tls` or `clear` where a look succeeds, else the message."""
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
    ("asked", "host", "told"),
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
async def test_each_mode_means_what_it_does_to_mysql(
    shop: MariaDB, certificates: Path, asked: dict[str, str], host: str, told: str
) -> None:
    """Encrypted where it can be, checked where that is asked, never less than asked."""
    said = {
        name: str(certificates / value) if value.endswith(".pem") else value
        for name, value in asked.items()
    }
    url = shop.reader.replace("127.0.0.1", host) + f"?{urlencode(said)}"
    found = await ends(url)
    assert found == told or (len(told) > 5 and found.endswith(told))


async def test_the_name_is_checked_where_identity_is_asked(
    shop: MariaDB, certificates: Path
) -> None:
    """A certificate for another host is good enough for VERIFY_CA, and no more."""
    shop.server.stop()
    good = dict(shop.server.settings)
    for what in ("crt", "key"):
        option = "ssl-cert" if what == "crt" else "ssl-key"
        shop.server.settings[option] = str(shop.server.folder / f"other-host.{what}")
    shop.server.start()
    ca = f"?ssl-ca={quote(str(certificates / 'ca.pem'))}"
    assert await ends(shop.reader + ca) == "tls"
    assert (await ends(f"{shop.reader}{ca}&ssl-mode=VERIFY_IDENTITY")).endswith(CHECK)
    shop.server.stop()
    shop.server.settings = good
    shop.server.start()


async def test_a_client_certificate_is_shown(shop: MariaDB, certificates: Path) -> None:
    """A user who must have one gets in with it, and not without."""
    shop.execute(f"CREATE USER strict IDENTIFIED BY '{PASSWORD}' REQUIRE X509")
    shop.execute("GRANT SELECT ON shop.* TO strict")
    url = shop.server.url("shop", "strict")
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
    told = "the server speaks no TLS; check ssl-mode"
    assert (await ends(system.reader + "?ssl-mode=REQUIRED")).endswith(told)


async def test_a_server_cannot_talk_us_out_of_the_password() -> None:
    """Asked in plain text for the password itself, it is not told."""
    greeting = (
        b"\x0a8.0.30\0" + b"\1\0\0\0" + b"salt8888\0" + b"\xff\xf7" + b"\x2d\2\0" + b"\xdf\x81"
        + b"\x15" + b"\0" * 10 + b"salt12121212\0" + b"mysql_native_password\0"
    )  # fmt: skip
    heard = b""

    def serve(server: socket.socket) -> None:
        nonlocal heard
        client, _ = server.accept()
        with client:
            client.sendall(len(greeting).to_bytes(3, "little") + b"\0" + greeting)
            client.recv(4096)
            switch = b"\xfemysql_clear_password\0"
            client.sendall(len(switch).to_bytes(3, "little") + b"\2" + switch)
            heard = client.recv(4096)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, args=(server,))
        thread.start()
        url = f"mysql://u:kanarienvogel@127.0.0.1:{server.getsockname()[1]}/db?ssl-mode=DISABLED"
        with pytest.raises(DatabaseDenied, match="asks for the password in plain text"):
            await Mysql(Address(url=url)).read()
        await asyncio.to_thread(thread.join, 5)
    assert heard == b""


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak MySQL's protocol"),
        (b"\0" * 100, "does not speak MySQL's protocol"),
        (b"\x01\0\0\0\x0a", "does not speak MySQL's protocol"),
        (b"\x17\0\0\0\xff\x10\x04Too many connections", "db: Too many connections"),
        (b"", "Lost connection"),
    ],
)
async def test_what_is_no_server_is_unreachable(answer: bytes, told: str) -> None:
    """Whatever answers on that port, it is told in one line."""

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(DatabaseUnreachable, match=told) as caught:
            await Mysql(Address(url=f"mysql://u:p@127.0.0.1:{port}/db")).read()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("password", ["pässwörd ☃", "", "a:b@c/d?e#f"])
async def test_any_password_works(shop: MariaDB, password: str) -> None:
    """Sent as UTF-8, as Django's driver does; from the URL or from a file."""
    user = f"user{len(password)}"
    shop.execute(f"CREATE USER {user} IDENTIFIED BY '{password}'")
    shop.execute(f"GRANT SELECT ON shop.* TO {user}")
    assert await ends(shop.server.url("shop", user, password)) == "tls"
    secrets = iter(["wrong", password])
    database = Mysql(
        Address(url=shop.server.url("shop", user, "x"), password=lambda: next(secrets))
    )
    with pytest.raises(DatabaseDenied):
        await database.read()
    await database.read()
    await database.release()


async def test_the_socket_may_be_named(shop: MariaDB) -> None:
    """As a host that is a path, or as unix_socket."""
    path = quote(shop.server.socket, safe="")
    assert await ends(f"mysql://root@{path}/shop") == "clear"
    assert await ends(f"mysql://root@localhost/shop?unix_socket={path}") == "clear"


async def test_letters_do_not_depend_on_the_servers_charset(shop: MariaDB) -> None:
    """A table in Latin 1, on a server that ignores what clients ask for, reads the same."""
    shop.execute("SET NAMES utf8mb4")
    shop.execute("ALTER TABLE django_migrations CONVERT TO CHARACTER SET latin1")
    with shop.server.connect("shop") as connection, connection.cursor() as cursor:
        cursor.execute("SET NAMES utf8mb4")
        cursor.execute("INSERT INTO django_migrations VALUES (1, 'ünï', 'é', '2024-01-01')")
    database = Mysql(Address(url=shop.reader))
    assert (await database.read()).keys() == ["ünï.é"]
    await database.release()


async def test_a_look_can_neither_write_nor_last(shop: MariaDB) -> None:
    """Even with a user who may write: the session is read-only, and the server limits it."""
    database = Mysql(Address(url=shop.migrator, read_timeout=6))
    await database.read()
    assert database._connection is not None
    with pytest.raises(Exception, match="READ ONLY"):
        await query(database._connection, "DELETE FROM django_migrations")
    limits = await query(
        database._connection, "SELECT @@SESSION.max_statement_time, @@SESSION.lock_wait_timeout"
    )
    assert limits == ((6, 3),)
    await database.release()


async def test_a_statement_that_takes_too_long_is_ended_by_the_server(shop: MariaDB) -> None:
    """The server's own limit comes first, and leaves nothing running."""
    shop.execute("RENAME TABLE django_migrations TO kept")
    shop.execute(
        "CREATE VIEW django_migrations AS SELECT 1 AS id, 'a' AS app, SLEEP(60) AS name,"
        " NOW() AS applied"
    )
    shop.execute(f"GRANT SELECT ON shop.django_migrations TO {MariaDB.READER}")
    database = Mysql(Address(url=shop.reader, read_timeout=0.3))
    with pytest.raises(DatabaseTimeout, match="max_statement_time"):
        await database.read()
    assert "SLEEP" not in str(shop.execute("SELECT info FROM information_schema.processlist"
                                           " WHERE user = 'sidecar_reader'"))  # fmt: skip
    shop.execute("DROP VIEW django_migrations")
    shop.execute("RENAME TABLE kept TO django_migrations")


async def test_a_turn_outlives_a_silence_of_the_server(mariadb_server: Server) -> None:
    """No answer leaves open whose turn it is; giving the session up would give the turn away."""
    system = MariaDB(mariadb_server, "silence")
    turn = MysqlTurn(Address(url=system.migrator, read_timeout=0.3))
    assert await turn.take()
    mariadb_server.pause()
    try:
        for _ in range(2):
            with pytest.raises(DatabaseTimeout):
                await turn.held()
    finally:
        mariadb_server.resume()
    for _ in range(100):
        try:
            assert await turn.held()
            break
        except DatabaseTimeout:
            continue
    await turn.release()


async def test_a_turn_is_one_databases(mariadb_server: Server) -> None:
    """Names of locks belong to the whole server; ours name the database."""
    one, other = MariaDB(mariadb_server, "turn_one"), MariaDB(mariadb_server, "turn_other")
    turn, database = MysqlTurn(Address(url=one.migrator)), Mysql(Address(url=other.reader))
    assert await turn.take()
    assert (await database.read()).run is None
    await turn.release()
    await database.release()


def test_without_the_extra_it_says_what_to_install(manifest: Path) -> None:
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
