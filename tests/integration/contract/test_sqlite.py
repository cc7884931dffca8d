"""What is SQLite's own: journals, files that are not what they should be, and the lock file."""

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from sidecar.core.migrations.recorded import Recorded
from sidecar.databases.base import Address, connect, create_migration_lock
from sidecar.databases.sqlite.migration_lock import get_lock_file, read_migrate_run
from sidecar.errors import DatabaseDenied, DatabaseTimeout, DatabaseUnreachable
from support import project
from support.systems import SQLite

AT = "2024-01-03 00:00:00"

HOLDER = """
import asyncio, sys
from sidecar.databases.base import Address, create_migration_lock
lock = create_migration_lock(Address(url=sys.argv[1]))
print(asyncio.run(lock.acquire()), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that users without rights can reach."""
    made = Path(tempfile.mkdtemp(prefix="sidecar-lite-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def shop(folder: Path) -> SQLite:
    """A file with one row."""
    system = SQLite(folder / "shop.sqlite3")
    system.record([(1, "shop", "0001", AT)])
    return system


async def read(system: SQLite) -> Recorded:
    return await connect(Address(url=system.reader, read_timeout=1)).read()


@contextmanager
def unprivileged() -> Iterator[None]:
    """Be nobody for a while; root may do anything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


async def test_reads_what_is_in_the_write_ahead_log(shop: SQLite) -> None:
    """Rows that no checkpoint has moved yet count, and a read keeps no checkpoint waiting."""
    with closing(sqlite3.connect(shop.file, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute(f"INSERT INTO django_migrations VALUES (2, 'shop', '0002', '{AT}')")
        assert (await read(shop)).keys() == ["shop.0001", "shop.0002"]
        writer.execute("BEGIN")
        writer.execute(f"INSERT INTO django_migrations VALUES (3, 'shop', '0003', '{AT}')")
        assert (await read(shop)).keys() == ["shop.0001", "shop.0002"]
        writer.execute("COMMIT")
        assert writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0


async def test_a_writer_who_has_not_committed_keeps_nobody_from_reading(shop: SQLite) -> None:
    """With a rollback journal, what was there before the transaction is read."""
    with closing(sqlite3.connect(shop.file, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute(f"INSERT INTO django_migrations VALUES (2, 'shop', '0002', '{AT}')")
        assert (await read(shop)).keys() == ["shop.0001"]


async def test_write_ahead_logs_need_a_folder_that_is_writable(shop: SQLite) -> None:
    """SQLite's readers then write beside the file; the line names what to mount how."""
    shop.execute("PRAGMA journal_mode = WAL")
    shop.file.parent.chmod(0o555)
    with unprivileged(), pytest.raises(DatabaseDenied) as caught:
        await read(shop)
    assert "is in WAL mode" in str(caught.value)
    assert "mount its folder writable" in str(caught.value)


async def test_reads_from_a_folder_that_is_not_writable(shop: SQLite) -> None:
    """Without a write-ahead log a volume mounted read-only is enough."""
    shop.file.parent.chmod(0o555)
    with unprivileged():
        assert (await read(shop)).keys() == ["shop.0001"]


async def test_a_read_leaves_no_trace(shop: SQLite) -> None:
    """Neither the file nor anything beside it changes."""
    before = shop.file.stat()
    await read(shop)
    after = shop.file.stat()
    assert (after.st_mtime_ns, after.st_size) == (before.st_mtime_ns, before.st_size)
    assert [*shop.file.parent.iterdir()] == [shop.file]


async def test_a_journal_left_by_a_crash_is_not_ours_to_roll_back(shop: SQLite) -> None:
    """What a dead writer left is reported, and stays as it is for the next writer."""
    crashed = shop.file.with_name("crashed.sqlite3")
    with closing(sqlite3.connect(shop.file, isolation_level=None)) as writer:
        writer.execute("PRAGMA cache_size = 1")
        writer.execute("BEGIN")
        writer.execute("CREATE TABLE big AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT"
                       " i + 1 FROM n WHERE i < 999) SELECT randomblob(999) FROM n")  # fmt: skip
        shutil.copy(shop.file, crashed)
        shutil.copy(f"{shop.file}-journal", f"{crashed}-journal")
    before = crashed.read_bytes()
    with pytest.raises(DatabaseUnreachable, match="a writer died in the middle"):
        await connect(Address(url=f"sqlite:///{crashed}")).read()
    assert crashed.read_bytes() == before
    with closing(sqlite3.connect(crashed)) as writer:
        writer.execute("SELECT * FROM django_migrations").fetchall()
    assert len((await connect(Address(url=f"sqlite:///{crashed}")).read()).keys()) == 1


async def test_what_is_no_database_is_denied(folder: Path) -> None:
    """A folder, a pipe that would hang, a text, and what may not be read: each has its own line."""
    os.mkfifo(folder / "pipe")
    (folder / "text").write_text("no database, however long one reads" * 99)
    (folder / "secret").write_bytes(b"")
    (folder / "secret").chmod(0)
    for name, message in {
        ".": "is no regular file",
        "pipe": "is no regular file",
        "text": "is no SQLite database",
        "secret": "may not read it",
        "text/below": "Not a directory",
    }.items():
        with unprivileged(), pytest.raises(DatabaseDenied, match=message):
            await connect(Address(url=f"sqlite:///{folder / name}")).read()


async def test_a_file_that_is_replaced_is_seen(shop: SQLite) -> None:
    """Every read opens the name anew, as after a restore."""
    database = connect(Address(url=shop.reader))
    assert len((await database.read()).keys()) == 1
    other = SQLite(shop.file.with_name("other.sqlite3"))
    other.file.replace(shop.file)
    assert (await database.read()).keys() == []
    shop.file.unlink()
    with pytest.raises(DatabaseUnreachable, match="no such file"):
        await database.read()


async def test_times_that_are_none_are_left_out(shop: SQLite) -> None:
    """SQLite takes anything for a time; the row counts all the same."""
    shop.record([(2, "shop", "0002", "yesterday")])
    found = await read(shop)
    assert found.keys() == ["shop.0001", "shop.0002"]
    assert [key for key, _ in found.recent] == ["shop.0001"]


async def test_reads_do_not_pile_up(shop: SQLite) -> None:
    """While one that was cancelled still waits, no other is begun."""
    database = connect(Address(url=shop.reader, read_timeout=0.8))
    with shop.locked():
        cancelled = asyncio.create_task(database.read())
        await asyncio.sleep(0.1)
        cancelled.cancel()
        with pytest.raises(DatabaseTimeout, match="an earlier read has not returned"):
            await database.read()
    await asyncio.sleep(1)
    assert (await database.read()).keys() == ["shop.0001"]


async def test_a_lock_ends_with_its_process(shop: SQLite) -> None:
    """The kernel takes the lock back; until then everybody sees the migrate run and its start."""
    with subprocess.Popen(  # noqa: ASYNC220 - nothing else runs on this loop
        [sys.executable, "-c", HOLDER, shop.migrator],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=project.environment(),
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"True\n"
        run = (await read(shop)).run
        assert run is not None
        assert run.since == pytest.approx(get_lock_file(shop.file).stat().st_mtime, abs=0.1)
        assert not await create_migration_lock(Address(url=shop.migrator)).acquire()
        holder.send_signal(signal.SIGKILL)
    assert (await read(shop)).run is None
    assert await create_migration_lock(Address(url=shop.migrator)).acquire()


async def test_a_lock_whose_file_is_removed_is_lost(shop: SQLite) -> None:
    """Somebody else could lock a new one."""
    mine = create_migration_lock(Address(url=shop.migrator))
    assert await mine.acquire()
    get_lock_file(shop.file).unlink()
    assert not await mine.held()
    assert read_migrate_run(shop.file) is None
    await mine.release()


async def test_a_lock_needs_a_folder_that_is_writable(shop: SQLite) -> None:
    """As SQLite itself does, to write."""
    shop.file.parent.chmod(0o555)
    with unprivileged(), pytest.raises(DatabaseDenied, match="Permission denied"):
        await create_migration_lock(Address(url=shop.migrator)).acquire()


def test_migrate_makes_the_file(folder: Path, manifest: Path) -> None:
    """To `check` a file that is absent is an error, to `migrate` it is where all begins."""
    url = f"sqlite:///{folder}/new.sqlite3"
    environment = project.environment(DATABASE_URL=url)
    codes = []
    for command in (
        ("check",),
        ("migrate", "--", sys.executable, "manage.py", "migrate", "--verbosity=0"),
        ("check",),
    ):
        ended = subprocess.run(
            [project.sidecar(), command[0], f"--manifest={manifest}", *command[1:]],
            check=False,
            cwd=project.APP,
            env=environment,
            capture_output=True,
            text=True,
        )
        codes.append(ended.returncode)
        assert "Traceback" not in ended.stderr
    assert codes == [20, 0, 0]
