"""One system after another, for every test of the contract."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import mariadb, postgres
from support.systems import MariaDB, Postgres, SQLite, System
from support.tls import make_certificates

NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[mariadb.Server]:
    """The session's MariaDB; tests that break servers make their own."""
    with mariadb.Server() as running:
        yield running


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates, good and bad ones."""
    folder = tmp_path_factory.mktemp("certificates")
    make_certificates(folder)
    return folder


@pytest.fixture(scope="session")
def tls(certificates: Path) -> Iterator[mariadb.Server]:
    """A server with TLS, which makes all text Latin 1 unless the session sets otherwise."""
    server = mariadb.Server(skip_character_set_client_handshake="on", character_set_server="latin1")
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


@pytest.fixture(scope="session")
def tls_shop(tls: mariadb.Server) -> MariaDB:
    """A database of that server."""
    return MariaDB(tls, "shop")


@pytest.fixture(params=["postgresql", pytest.param("mariadb", marks=pytest.mark.mariadb), "sqlite"])
def system(request: pytest.FixtureRequest, tmp_path: Path) -> System:
    """A database with an empty table, in one system after another."""
    if request.param == "sqlite":
        return SQLite(tmp_path / "shop & co?.sqlite3")
    name = f"contract_{next(NUMBERS)}"
    if request.param == "mariadb":
        return MariaDB(request.getfixturevalue("mariadb_server"), name)
    server: postgres.Server = request.getfixturevalue("server")
    return Postgres(server, name)


@pytest.fixture
def possible(system: System, request: pytest.FixtureRequest) -> None:
    """Skip what a system has no notion of; the test's mark names it."""
    mark = request.node.get_closest_marker("asks_for")
    if mark is not None and (why := system.lacks.get(mark.args[0])):
        pytest.skip(why)
