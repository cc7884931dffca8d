"""A read returns the same from every system."""

import asyncio
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sidecar.core.migrations.compare import Outcome, Verdict, compare
from sidecar.core.migrations.manifest import Manifest, decode, format_key
from sidecar.core.migrations.recorded import Recorded
from sidecar.databases.base import Address, Database, connect
from support import project
from support.process import Sidecar, until
from support.systems import System, migrate

AT = "2024-01-03 00:00:00.250000"
SECONDS = 1704240000.25


async def read(database: Database) -> Recorded:
    try:
        return await database.read()
    finally:
        await database.release()


async def read_once(system: System) -> Recorded:
    return await read(connect(Address(url=system.reader)))


@pytest.fixture
def expected(manifest: Path) -> Manifest:
    """The example project's manifest."""
    return decode(manifest.read_bytes())


async def test_follows_a_real_migrate(system: System, expected: Manifest) -> None:
    """Behind before the last migration, current after it, ahead after one of a newer release."""

    async def verdict() -> Verdict:
        return compare(expected, (await read_once(system)).keys())

    migrate(system, *project.BEFORE_LEAF.split("."))
    behind = await verdict()
    assert (behind.outcome, project.LEAF in behind.pending) == (Outcome.BEHIND, True)
    began = time.time()
    migrate(system)
    ended, found = time.time(), await read_once(system)
    assert compare(expected, found.keys()).outcome is Outcome.CURRENT
    assert found.last_applied is not None
    assert began - 0.001 <= found.last_applied <= ended + 0.001
    assert found.recent[-1] == (found.keys()[-1], found.last_applied)
    now = datetime.now(UTC).replace(tzinfo=None).isoformat(" ")
    system.record([(9999, "orders", "0099_newer", now)])
    assert (await verdict()).outcome is Outcome.AHEAD


async def test_rows_come_back_whole_and_in_the_order_of_their_ids(system: System) -> None:
    """Duplicates, odd letters and what a collation takes for equal: each row as it is."""
    system.record(
        [
            (3, "shop", "0001", AT),
            (1, "shop", "0001", AT),
            (2, "Shop", "0001", AT),
            (7, "shop", "0001 ", AT),
            (5, "ünï", "\u2603 \U0001f30d 'x'", AT),
            (4, "strasse", "0001", AT),
            (6, "straße", "0001", AT),
        ]
    )
    assert (await read_once(system)).text.split("\n") == [
        "shop.0001",
        "Shop.0001",
        "shop.0001",
        "strasse.0001",
        "ünï.\u2603 \U0001f30d 'x'",
        "straße.0001",
        "shop.0001 ",
    ]


async def test_no_row_can_spell_another_one(system: System) -> None:
    """Line breaks, backslashes and dots in a row's texts stay within its own key."""
    pairs = [
        ("x", "y\nshop.0003"),
        ("x.y", "z"),
        ("x", "y.z"),
        ("x\\", "y"),
        ("x\\.y", "z"),
        ("x", "y\\n"),
        ("\n", "\n\\"),
        ("", ""),
    ]
    system.record([(at, *pair, AT) for at, pair in enumerate(pairs, 1)])
    found = await read_once(system)
    assert found.keys() == [format_key(*pair) for pair in pairs]
    assert [key for key, _ in found.recent] == found.keys()


async def test_thousands_of_long_names_are_not_cut_off(system: System) -> None:
    """5,000 rows of the longest names: 2.5 MB, over any limit of an aggregate."""
    rows = [(number, "a" * 255, f"{number:04}" + "☃" * 251, AT) for number in range(1, 5001)]
    system.record(rows)
    found = await read_once(system)
    assert found.keys() == [f"{app}.{name}" for _, app, name, _ in rows]
    assert [key for key, _ in found.recent] == found.keys()[-500:]


@pytest.fixture
def far_away(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose own time is not UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Kathmandu")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("far_away")
async def test_times_are_utc_and_exact(system: System) -> None:
    """Seconds since the epoch wherever we run, by the newest time and not by the newest row."""
    system.record([(1, "a", "1", AT), (2, "a", "2", "2023-12-31 00:00:00")])
    found = await read_once(system)
    assert found.last_applied == SECONDS
    assert found.recent == (("a.1", SECONDS), ("a.2", 1703980800.0))


async def test_an_empty_table_is_an_empty_set(system: System) -> None:
    """No row is no migration, and no error."""
    found = await read_once(system)
    assert (found.keys(), found.last_applied, found.note, found.run) == ([], None, None, None)


async def test_an_absent_table_is_an_empty_set_with_a_note(system: System) -> None:
    """Before the first migrate there is no table; that is behind, with a note."""
    system.execute("DROP TABLE django_migrations")
    found = await read_once(system)
    assert (found.text, found.note) == ("", system.absent)


async def test_times_come_only_with_changes(system: System) -> None:
    """The newest rows come once, and again when there are others."""
    database = connect(Address(url=system.reader))
    system.record([(1, "a", "1", AT)])
    assert (await database.read()).recent == (("a.1", SECONDS),)
    assert (await database.read()).recent == ()
    system.record([(2, "a", "2", AT)])
    assert (await read(database)).recent == (("a.1", SECONDS), ("a.2", SECONDS))


async def test_a_table_that_is_dropped_and_made_anew_is_seen(system: System) -> None:
    """Nothing of an earlier read affects the next one."""
    database = connect(Address(url=system.reader))
    system.record([(1, "a", "1", AT)])
    rows = await database.read()
    system.execute("ALTER TABLE django_migrations RENAME TO away")
    assert (await database.read()).note == system.absent
    system.execute("ALTER TABLE away RENAME TO django_migrations")
    assert await read(database) == rows


async def test_nothing_is_held_after_release(system: System) -> None:
    """One session for many reads, none after them."""
    database = connect(Address(url=system.reader))
    for _ in range(3):
        await database.read()
    assert system.sessions() <= 1
    await database.release()
    await asyncio.to_thread(until, lambda: system.sessions() == 0, "the session ends")


@pytest.mark.parametrize(("applied", "code"), [(False, 10), (True, 0)])
def test_check_reads_every_system(
    system: System, expected: Manifest, manifest: Path, *, applied: bool, code: int
) -> None:
    """The command needs no more than the URL."""
    keys = [key.split(".") for key in expected.nodes] if applied else []
    if keys:
        system.record([(n, app, name, AT) for n, (app, name) in enumerate(keys, 1)])
    ended = subprocess.run(
        [project.sidecar(), "check", f"--manifest={manifest}"],
        check=False,
        env=project.environment(DATABASE_URL=system.reader),
        capture_output=True,
        text=True,
    )
    assert (ended.returncode, ended.stderr) == (code, "")


def test_the_gate_opens_when_migrate_has_ended(system: System, manifest: Path) -> None:
    """A serving sidecar sees a real migrate through, and holds nothing once it is open."""
    with Sidecar(manifest, url=system.reader) as sidecar:
        until(lambda: sidecar.get("/readyz")[1].startswith("schema_behind"), "it has read")
        migrate(system)
        until(sidecar.ready, "the gate is open")
        until(lambda: system.sessions() == 0, "no session is held")
