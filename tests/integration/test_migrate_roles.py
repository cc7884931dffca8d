"""Whose session counts as a migrate run: every session may take any lock and any name."""

from contextlib import suppress

import psycopg
import pytest

from sidecar.databases.base import Address, connect
from sidecar.databases.postgres.migrate_runs import COMMAND_NAME, LOCK_CLASS
from support.database import MIGRATOR, Database
from support.postgres import PASSWORD

ROLE = "somebody"
DROP_TABLE = "DROP TABLE django_migrations"


@pytest.mark.parametrize(
    ("statements", "counts"),
    [
        (("GRANT SELECT, UPDATE, DELETE ON django_migrations TO {}",), False),
        (("GRANT INSERT ON django_migrations TO {}",), True),
        (("ALTER ROLE {} NOINHERIT", f"GRANT {MIGRATOR} TO {{}}"), True),
        (("ALTER ROLE {} SUPERUSER",), True),
        ((DROP_TABLE,), False),
        ((DROP_TABLE, "GRANT CREATE ON SCHEMA public TO {}"), True),
        (("DROP ROLE {}",), False),
    ],
)
async def test_a_migrate_run_is_of_a_role_that_may_record_a_migration(
    database: Database, statements: tuple[str, ...], *, counts: bool
) -> None:
    """Where there is no table yet, of one that may make it; and a role may be gone by now."""
    database.execute(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{PASSWORD}'")
    ((schema,),) = database.execute("SELECT 'public'::regnamespace::oid")
    assert isinstance(schema, int)
    with psycopg.connect(database.server.url(database.name, ROLE)) as session:
        session.execute(f"SELECT pg_advisory_lock({(LOCK_CLASS << 32) | schema})")
        session.execute(f"SET application_name = '{COMMAND_NAME} {schema}'")
        for statement in statements:
            database.execute(statement.format(ROLE))
        reader = connect(Address(url=database.reader))
        found = await reader.read()
        await reader.release()
        session.rollback()
    with suppress(psycopg.errors.UndefinedObject):
        database.execute(f"DROP OWNED BY {ROLE}; DROP ROLE {ROLE}")
    assert (found.run is not None) is counts
