"""compose/sql/reader.sql: all that it promises of the role that the sidecar reads with."""

import subprocess

import pytest

from sidecar.core.reason import Reason
from sidecar.databases.base import Address, connect
from sidecar.errors import DatabaseDenied
from support.database import MIGRATOR, READER, Database
from support.postgres import PASSWORD
from support.project import READER_SQL


def psql(database: Database, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run reader.sql as its first lines have it."""
    given = {"reader": "newcomer", "password": PASSWORD, "migrator": MIGRATOR, "schema": "public"}
    flags = [f"-v{name}={value}" for name, value in (given | variables).items()]
    program, url = str(database.server._programs / "psql"), database.server.url(database.name)
    return subprocess.run(
        [program, *flags, "-f", str(READER_SQL), url], check=False, capture_output=True, text=True
    )


def test_without_the_role_that_migrates_nothing_is_done(database: Database) -> None:
    """One line names what has to be there first, and the exit code is that of an error."""
    ended = psql(database, migrator="nobody_yet")
    assert ended.returncode == 3
    (line,) = ended.stderr.splitlines()
    assert line.endswith(
        'ERROR:  there is no role "nobody_yet" to own django_migrations: '
        "make it first, as migrator.sql does"
    )
    assert database.execute("SELECT 1 FROM pg_roles WHERE rolname = 'newcomer'") == []


def test_nobody_but_the_role_that_migrates_may_create(database: Database) -> None:
    """Everybody may before PostgreSQL 15; what they make could be called by others."""
    database.execute("GRANT CREATE ON SCHEMA public TO PUBLIC")
    database.execute(f"REVOKE CREATE ON SCHEMA public FROM {MIGRATOR}")
    assert psql(database, reader=READER).returncode == 0
    may = "SELECT has_schema_privilege('{}', 'public', 'CREATE')"
    assert database.execute(may.format(READER)) == [(False,)]
    assert database.execute(may.format(MIGRATOR)) == [(True,)]


@pytest.mark.parametrize("schemas", [(), ("all",)])
@pytest.mark.parametrize(
    "remedy",
    [
        "ALTER TABLE django_migrations DISABLE ROW LEVEL SECURITY",
        f"ALTER ROLE {READER} BYPASSRLS",
    ],
)
async def test_rows_that_a_policy_hides_are_an_error(
    database: Database, schemas: tuple[str, ...], remedy: str
) -> None:
    """A smaller set of rows would be behind, and close a gate; the role's own setting or not."""
    database.execute("INSERT INTO django_migrations VALUES (1, 'shop', '0001', now())")
    database.execute("ALTER TABLE django_migrations ENABLE ROW LEVEL SECURITY")
    database.execute(f"ALTER ROLE {READER} IN DATABASE {database.name} SET row_security = on")
    reader = connect(Address(url=database.reader, schemas=schemas))
    try:
        if schemas:
            assert (await reader.read()).failure is Reason.DATABASE_DENIED
        else:
            with pytest.raises(DatabaseDenied, match=remedy.replace(READER, "...")):
                await reader.read()
        database.execute(remedy)
        assert (await reader.read()).keys() == ["shop.0001"]
    finally:
        await reader.release()
        database.execute(f"ALTER ROLE {READER} NOBYPASSRLS")


async def test_a_schema_of_the_same_name_hides_nothing(database: Database) -> None:
    """The role finds the table in the schema that it was made for, and in no other."""
    database.execute("INSERT INTO django_migrations VALUES (1, 'shop', '0001', now())")
    database.execute(f"CREATE SCHEMA {READER}; GRANT USAGE ON SCHEMA {READER} TO PUBLIC")
    database.execute(f"CREATE TABLE {READER}.django_migrations (LIKE django_migrations)")
    database.execute(f"GRANT SELECT ON {READER}.django_migrations TO PUBLIC")
    reader = connect(Address(url=database.reader))
    assert (await reader.read()).keys() == ["shop.0001"]
    await reader.release()
