"""What a role or database sets for its sessions changes neither whether nor what we read."""

import asyncio
from typing import Final

import pytest

from sidecar.core.migrations.recorded import Recorded
from sidecar.databases.base import Address, connect
from support.database import Database
from support.postgres import Server
from support.process import until
from support.replica import Replica

DEFAULTS: Final = (
    "default_transaction_isolation = serializable",
    "default_transaction_deferrable = on",
    "default_transaction_read_only = on",
    "standard_conforming_strings = off",
    "bytea_output = escape",
    "quote_all_identifiers = on",
    "extra_float_digits = -15",
    "row_security = off",
    "DateStyle = 'SQL, DMY'",
    "TimeZone = 'Asia/Kathmandu'",
)


async def read(url: str, schemas: tuple[str, ...]) -> Recorded:
    """Return what one read over a connection of its own finds."""
    database = connect(Address(url=url, schemas=schemas))
    try:
        return await database.read()
    finally:
        await database.release()


@pytest.mark.parametrize("schemas", [(), ("public",)], ids=["one", "many"])
async def test_defaults_of_the_database_change_nothing(
    migrated: Database, schemas: tuple[str, ...]
) -> None:
    """Isolation, how texts are read and written, times: our SQL states what it needs."""
    expected = await read(migrated.reader, schemas)
    assert len(expected.keys()) > 10
    for default in DEFAULTS:
        migrated.server.execute(f"ALTER DATABASE {migrated.name} SET {default}")
    assert await read(migrated.reader, schemas) == expected


def test_a_hot_standby_is_read_though_serializable_is_the_default() -> None:
    """PostgreSQL refuses such a transaction there."""
    with Server() as primary:
        primary.execute("CREATE DATABASE shop")
        primary.execute("ALTER DATABASE shop SET default_transaction_isolation = serializable")
        columns = "id int, app text, name text, applied timestamptz"
        primary.execute(f"CREATE TABLE django_migrations ({columns})", "shop")
        primary.execute("INSERT INTO django_migrations VALUES (1, 'shop', '0001', now())", "shop")
        with Replica(primary) as standby:
            until(lambda: standby.follows(primary), "the standby follows")
            for schemas in ((), ("public",)):
                found = asyncio.run(read(standby.url("shop"), schemas))
                assert found.keys() == ["shop.0001"]
