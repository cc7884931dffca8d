"""SQLite URLs as dj-database-url reads them."""

from pathlib import Path

import pytest

from sidecar.databases.base import Address, connect, create_migration_lock
from sidecar.databases.sqlite.dsn import parse_url
from sidecar.errors import UsageError


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("sqlite:////data/db.sqlite3", "/data/db.sqlite3"),
        ("spatialite:////data/db.sqlite3?timeout=20&conn_max_age=0", "/data/db.sqlite3"),
        ("sqlite:////data/shop%20%26%20co%3F%23.db", "/data/shop & co?#.db"),
        ("sqlite:///db.sqlite3", f"{Path.cwd()}/db.sqlite3"),
        ("sqlite:///data/db.sqlite3", f"{Path.cwd()}/data/db.sqlite3"),
    ],
)
def test_three_slashes_are_relative_and_four_absolute(url: str, file: str) -> None:
    """Names are percent-decoded; parameters of Django and its driver are ignored."""
    assert parse_url(url) == Path(file)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sqlite://:memory:", "only its own process can see"),
        ("sqlite://", "only its own process can see"),
        ("sqlite:///:memory:", "only its own process can see"),
        ("sqlite://data/db.sqlite3", "write a file as sqlite:////absolute/path"),
        ("sqlite:/data/db.sqlite3", "write a file as sqlite:////absolute/path"),
        ("sqlite:////data/a#b", "write it as %23"),
        ("sqlite:////data/a?b", "unknown parameter 'b'; in a file's name write ? as %3F"),
    ],
)
def test_an_invalid_url_is_refused(url: str, message: str) -> None:
    """Before anything is opened or made."""
    for opens in (connect, create_migration_lock):
        with pytest.raises(UsageError) as caught:
            opens(Address(url=url))
        assert message in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        Address(url="sqlite:////data/db.sqlite3", schema="tenant"),
        Address(url="sqlite:////data/db.sqlite3", schemas=("tenant_*",)),
        Address(url="sqlite:////data/db.sqlite3", schemas_query="SELECT 1"),
    ],
)
def test_schemas_are_refused(address: Address) -> None:
    """There is nothing of that kind in a file."""
    for opens in (connect, create_migration_lock):
        with pytest.raises(UsageError, match="SQLite has none"):
            opens(address)
