"""One process at a time holds the migration lock, on every system."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sidecar.databases.base import Address, StatementTimeouts, connect, create_migration_lock
from sidecar.errors import DatabaseError, UsageError
from support import project
from support.process import PATIENCE
from support.systems import SHIM, System

DJANGO = ("--", sys.executable, "manage.py", "migrate", "--verbosity=0")


async def test_one_holds_the_lock_and_everybody_sees_it(system: System) -> None:
    """The second gets it once the first has released it, and readers see the migrate run."""
    address, reader = Address(url=system.migrator), connect(Address(url=system.reader))
    first, second = create_migration_lock(address), create_migration_lock(address)
    assert not await first.held()
    assert await first.acquire()
    assert await first.held()
    assert not await second.acquire()
    assert not await second.held()
    assert (await reader.read()).run is not None
    assert await first.count_leftover_sessions() == 0
    await first.release()
    assert (await reader.read()).run is None
    assert await second.acquire()
    await second.release()
    await reader.release()


@pytest.mark.asks_for("sessions")
@pytest.mark.usefixtures("possible")
async def test_a_lock_ends_with_its_session(system: System) -> None:
    """To whoever loses the session that is an error, and the next one acquires the lock."""
    first, second = (
        create_migration_lock(Address(url=system.migrator)),
        create_migration_lock(Address(url=system.migrator)),
    )
    assert await first.acquire()
    system.end_sessions()
    with pytest.raises(DatabaseError):
        await first.held()
    assert not await first.held()
    assert await second.acquire()
    await second.release()
    await first.release()


async def test_limits_reach_the_command_or_are_refused(system: System) -> None:
    """A limit that nothing would keep is an error, and no silence."""
    lock = create_migration_lock(Address(url=system.migrator))
    await lock.acquire()
    statement_timeouts = StatementTimeouts(lock_timeout=5.0)
    if system.migrator.startswith("postgres"):
        assert "lock_timeout=5000" in lock.environment(statement_timeouts)["PGOPTIONS"]
    else:
        with pytest.raises(UsageError, match="PostgreSQL's"):
            lock.environment(statement_timeouts)
        assert lock.environment(StatementTimeouts()) == {}
    await lock.release()


def test_two_runs_migrate_once(system: System, manifest: Path) -> None:
    """`sidecar migrate` from nothing, twice at once: one applies all, the other nothing."""
    system.execute("DROP TABLE django_migrations")
    command = [project.sidecar(), "migrate", "--json=-", f"--manifest={manifest}", *DJANGO]
    environment = project.environment(DATABASE_URL=system.migrator, PYTHONPATH=str(SHIM))
    started = [
        subprocess.Popen(
            command,
            cwd=project.APP,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    ended = [
        (*process.communicate(timeout=100 * PATIENCE), process.returncode) for process in started
    ]
    assert [code for _, _, code in ended] == [0, 0], ended
    reports = [json.loads(out) for out, _, _ in ended]
    assert sorted(report["result"] for report in reports) == ["applied", "nothing_to_do"]
    rows = system.execute("SELECT app, name FROM django_migrations")
    assert len(rows) == len(set(rows))
