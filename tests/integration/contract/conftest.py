"""One system after another, for every test of the contract."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import mariadb, postgres
from support.systems import MariaDB, Postgres, SQLite, System

NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[mariadb.Server]:
    """The session's MariaDB; tests that break servers make their own."""
    with mariadb.Server() as running:
        yield running


@pytest.fixture(params=["postgresql", "mariadb", "sqlite"])
def system(request: pytest.FixtureRequest, tmp_path: Path) -> System:
    """A database with an empty table, in each system in turn."""
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
