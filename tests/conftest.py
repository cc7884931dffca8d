"""One real PostgreSQL for the whole run, a database for each test that asks for one."""

import gc
import itertools
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import needs, project
from support.database import Database, add_database
from support.postgres import Server
from support.process import end_remembered

NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The session's PostgreSQL; tests that break servers make their own."""
    with Server() as running:
        yield running


@pytest.fixture
def database(server: Server) -> Database:
    """An empty database, read through the shipped read-only role."""
    return add_database(server, f"shop_{next(NUMBERS)}")


@pytest.fixture(scope="session")
def migrated_template(server: Server) -> str:
    """A fully migrated database to copy from."""
    add_database(server, "template_shop").migrate()
    return "template_shop"


@pytest.fixture
def migrated(server: Server, migrated_template: str) -> Database:
    """A database in which the example project is fully migrated."""
    name = f"shop_{next(NUMBERS)}"
    server.execute(f"CREATE DATABASE {name} TEMPLATE {migrated_template}")
    return Database(server, name)


@pytest.fixture(scope="session")
def baked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example project's manifest, baked by the installed command."""
    path = tmp_path_factory.mktemp("baked") / "manifest.json"
    project.bake(path, "--release=1.0").check_returncode()
    return path


@pytest.fixture
def manifest(baked: Path, tmp_path: Path) -> Path:
    """The example project's manifest, in a folder of this test's own."""
    copy = tmp_path / "manifest.json"
    copy.write_bytes(baked.read_bytes())
    return copy


@pytest.fixture(autouse=True)
def _answers_for_itself() -> Iterator[None]:
    """What a test left unclosed is found now, and fails that test: not whichever is run later."""
    yield
    end_remembered()
    gc.collect()


@pytest.fixture(autouse=True)
def _bare_environment(_answers_for_itself: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing in a test may depend on the machine's settings."""
    for name in list(os.environ):
        if name.startswith(("SIDECAR_", "PG", "DATABASE_URL", "DJANGO_")):
            monkeypatch.delenv(name)


def pytest_configure(config: pytest.Config) -> None:
    """Declare what tests may need, and undo what a script does to what it starts with `&`."""
    needs.register(config)
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            normal = signal.default_int_handler if number is signal.SIGINT else signal.SIG_DFL
            signal.signal(number, normal)


def pytest_collection_finish() -> None:
    """Keep what is there already out of the collection after each test."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test that uses what not every machine has carries its marker."""
    needs.enter(item)
