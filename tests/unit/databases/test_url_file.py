"""A URL in a file: rotated without a restart. The databases are files of SQLite."""

import sqlite3
from pathlib import Path

import pytest

from sidecar.databases.base import Address, StatementTimeouts, connect, create_migration_lock
from sidecar.errors import DatabaseDenied, UsageError


def database(path: Path, *names: str) -> str:
    """Make a database with these migrations of one app; return its URL."""
    with sqlite3.connect(path) as made:
        made.execute(
            "CREATE TABLE django_migrations (id integer PRIMARY KEY, app text, name text,"
            " applied datetime)"
        )
        rows = [(name,) for name in names]
        made.executemany(
            "INSERT INTO django_migrations (app, name, applied)"
            " VALUES ('shop', ?, '2026-03-01 00:00:00')",
            rows,
        )
    made.close()
    return f"sqlite:///{path}"


async def test_each_read_is_at_the_url_that_the_file_holds(tmp_path: Path) -> None:
    """A rotated secret counts from the next read; while it is bad, the database is denied."""
    first = database(tmp_path / "first.sqlite3", "0001")
    second = database(tmp_path / "second.sqlite3", "0001", "0002")
    file = tmp_path / "url"
    file.write_text(first + "\n")
    following = connect(Address(url=first, url_file=file))
    assert list((await following.read()).keys()) == ["shop.0001"]
    file.write_text(second + "\n")
    assert list((await following.read()).keys()) == ["shop.0001", "shop.0002"]
    file.write_text("oracle://u:hunter2@h/d")
    with pytest.raises(DatabaseDenied, match=rf"the file {file}: .*'oracle'") as caught:
        await following.read()
    assert "hunter2" not in str(caught.value)
    file.unlink()
    with pytest.raises(DatabaseDenied, match=f"the file {file} cannot be read"):
        await following.read()
    file.write_text(first)
    assert list((await following.read()).keys()) == ["shop.0001"]
    await following.release()


async def test_the_create_migration_lock_is_that_of_the_url_that_the_file_holds(
    tmp_path: Path,
) -> None:
    """Who waits for the lock while the secret is rotated gets the new database's."""
    first, second = database(tmp_path / "first.sqlite3"), database(tmp_path / "second.sqlite3")
    file = tmp_path / "url"
    file.write_text(first)
    address = Address(url=first, url_file=file)
    other = create_migration_lock(Address(url=first))
    following = create_migration_lock(address)
    assert await other.acquire()
    assert not await following.acquire()
    file.write_text(second)
    assert await following.acquire()
    assert await following.held()
    assert await following.count_leftover_sessions() == 0
    assert following.environment(StatementTimeouts()) == {}
    assert not await create_migration_lock(Address(url=second)).acquire()
    await following.release()
    assert await create_migration_lock(Address(url=second)).acquire()
    await other.release()


def test_a_url_that_is_not_valid_is_refused_at_the_start(tmp_path: Path) -> None:
    """As any other URL."""
    with pytest.raises(UsageError, match="oracle"):
        connect(Address(url="oracle://h/d", url_file=tmp_path / "url"))
