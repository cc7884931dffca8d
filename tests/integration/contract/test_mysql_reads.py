"""Reads from MariaDB and the migration lock there: letters, limits, and silences."""

import pytest

from sidecar.databases.base import Address
from sidecar.databases.mysql.connection import query
from sidecar.databases.mysql.migration_lock import MysqlMigrationLock
from sidecar.databases.mysql.reader import Mysql
from sidecar.errors import DatabaseTimeout
from support.mariadb import Server
from support.systems import MariaDB

pytestmark = pytest.mark.mariadb


async def test_letters_do_not_depend_on_the_servers_charset(tls_shop: MariaDB) -> None:
    """A table in Latin 1, on a server that ignores what clients ask for, reads the same."""
    tls_shop.execute("SET NAMES utf8mb4")
    tls_shop.execute("ALTER TABLE django_migrations CONVERT TO CHARACTER SET latin1")
    with tls_shop.server.connect("shop") as connection, connection.cursor() as cursor:
        cursor.execute("SET NAMES utf8mb4")
        cursor.execute("INSERT INTO django_migrations VALUES (1, 'ünï', 'é', '2024-01-01')")
    database = Mysql(Address(url=tls_shop.reader))
    assert (await database.read()).keys() == ["ünï.é"]
    await database.release()


async def test_a_read_sees_what_is_committed_whatever_the_server_prefers() -> None:
    """Neither a snapshot that lasts from read to read, nor a row that may be rolled back."""
    uncommitted = {"transaction-isolation": "READ-UNCOMMITTED"}
    with Server(**{"init-connect": "SET autocommit=0"}, **uncommitted) as server:
        system = MariaDB(server, "prefers")
        database = Mysql(Address(url=system.reader))
        with server.connect("prefers") as writer, writer.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("INSERT INTO django_migrations VALUES (1, 'shop', 'a', '2024-01-01')")
            assert (await database.read()).keys() == []
            writer.commit()
            assert (await database.read()).keys() == ["shop.a"]
        await database.release()


async def test_a_read_can_neither_write_nor_last(tls_shop: MariaDB) -> None:
    """Even with a user who may write: the session is read-only, and the server limits it."""
    database = Mysql(Address(url=tls_shop.migrator, read_timeout=6))
    await database.read()
    assert database._connection is not None
    with pytest.raises(Exception, match="READ ONLY"):
        await query(database._connection, "DELETE FROM django_migrations")
    limits = await query(
        database._connection, "SELECT @@SESSION.max_statement_time, @@SESSION.lock_wait_timeout"
    )
    assert limits == ((6, 3),)
    await database.release()


async def test_a_statement_that_takes_too_long_is_ended_by_the_server(tls_shop: MariaDB) -> None:
    """The server's own limit comes first, and leaves nothing running."""
    tls_shop.execute("RENAME TABLE django_migrations TO kept")
    tls_shop.execute(
        "CREATE VIEW django_migrations AS SELECT 1 AS id, 'a' AS app, SLEEP(60) AS name,"
        " NOW() AS applied"
    )
    tls_shop.execute(f"GRANT SELECT ON shop.django_migrations TO {MariaDB.READER}")
    database = Mysql(Address(url=tls_shop.reader, read_timeout=0.3))
    with pytest.raises(DatabaseTimeout, match="max_statement_time"):
        await database.read()
    assert "SLEEP" not in str(tls_shop.execute("SELECT info FROM information_schema.processlist"
                                           " WHERE user = 'sidecar_reader'"))  # fmt: skip
    tls_shop.execute("DROP VIEW django_migrations")
    tls_shop.execute("RENAME TABLE kept TO django_migrations")


async def test_a_lock_outlives_a_silence_of_the_server(mariadb_server: Server) -> None:
    """No answer leaves open whether it is held; dropping the session would release it."""
    system = MariaDB(mariadb_server, "silence")
    migration_lock = MysqlMigrationLock(Address(url=system.migrator, read_timeout=0.3))
    assert await migration_lock.acquire()
    mariadb_server.pause()
    try:
        for _ in range(2):
            with pytest.raises(DatabaseTimeout):
                await migration_lock.held()
    finally:
        mariadb_server.resume()
    for _ in range(100):
        try:
            assert await migration_lock.held()
            break
        except DatabaseTimeout:
            continue
    await migration_lock.release()


async def test_a_lock_belongs_to_one_database(mariadb_server: Server) -> None:
    """Names of locks belong to the whole server; ours name the database."""
    one, other = MariaDB(mariadb_server, "lock_one"), MariaDB(mariadb_server, "lock_other")
    migration_lock, database = (
        MysqlMigrationLock(Address(url=one.migrator)),
        Mysql(Address(url=other.reader)),
    )
    assert await migration_lock.acquire()
    assert (await database.read()).run is None
    await migration_lock.release()
    await database.release()
