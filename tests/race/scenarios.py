"""What may happen while many replicas start at once, each of which applies migrations."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from race.replica import Replica
from support.database import Database, add_database
from support.postgres import Server
from support.process import PATIENCE, until
from support.release import Release

CONCURRENTLY = (
    'AddIndexConcurrently("order", models.Index(fields=["archived"], name="orders_archived")),'
)


@dataclass
class Race:
    """One race: a release, a database, and the replicas that start together."""

    release: Release
    database: Database
    replicas: list[Replica] = field(default_factory=list)
    plain: int = 0
    """How many runs of plain `manage.py migrate`, which takes no lock, take part."""

    def start(self) -> Replica:
        """Start one more replica."""
        replica = Replica(self.release, self.database.migrator, len(self.replicas))
        self.replicas.append(replica)
        return replica

    def wait_for_winner(self) -> Replica:
        """Return the replica that migrates, once there is one."""
        until(lambda: any(replica.has_migrated() for replica in self.replicas), "one migrates", 60)
        return next(replica for replica in self.replicas if replica.has_migrated())

    def wait_for_slow_migration(self) -> None:
        """Wait until the slow migration runs."""
        active = "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query ~ 'pg_sleep'"
        name = f"{active} AND datname = '{self.database.name}' AND pid <> pg_backend_pid()"
        until(lambda: bool(self.database.execute(name)), "the slow migration runs", 60)


def calm(race: Race) -> None:
    """Nothing happens but the race."""
    race.wait_for_winner()


def winner_killed(race: Race) -> None:
    """The winner dies in the middle of a migration; its container is started again."""
    winner = race.wait_for_winner()
    race.wait_for_slow_migration()
    winner.kill()
    race.start()


def database_restarted(race: Race) -> None:
    """The server goes away in the middle of a migration, and comes back."""
    race.wait_for_winner()
    race.wait_for_slow_migration()
    race.database.server.stop("immediate")
    time.sleep(1)
    race.database.server.start()


def index_concurrently(race: Race) -> None:
    """The winner builds an index concurrently, which waits for every snapshot there is."""
    race.wait_for_winner()


def plain_migrate(race: Race) -> None:
    """Others run plain `manage.py migrate` at the same time; they may fail, ours may not."""
    race.plain = 3
    others = [
        race.release.start(
            *("python", "manage.py", "migrate", "--noinput", "--verbosity=0"),
            url=race.database.migrator,
            EXAMPLE_SLOW_SECONDS="1",
        )
        for _ in range(race.plain)
    ]
    for other in others:
        other.communicate(timeout=120 * PATIENCE)


SCENARIOS: dict[str, Callable[[Race], None]] = {
    scenario.__name__: scenario
    for scenario in (calm, winner_killed, database_restarted, index_concurrently, plain_migrate)
}


@dataclass(frozen=True)
class Row:
    """The result of a race."""

    scenario: str
    replicas: int
    ready: int
    applied_by: int
    """How many of ours started the command."""
    waited: int
    """How many had to wait for another migrate run."""
    early: int
    """How many were ready before the winner's post_migrate handlers had ended."""
    duplicates: int
    seconds: float


DURABLE = {"fsync": "on", "synchronous_commit": "on"}
"""What was committed outlives a crash, as on any production server: Django commits a table
and the row that records it one after the other where the migration has deferred SQL."""


def play(name: str, folder: Path, replicas: int) -> Row:
    """Play one scenario with so many replicas, on a server of its own."""
    with Server(**DURABLE) as server:
        return _play(name, server, folder, replicas)


def _play(name: str, server: Server, folder: Path, replicas: int) -> Row:
    release = Release(folder)
    if name == index_concurrently.__name__:
        release.add("0013_concurrently", CONCURRENTLY, atomic=False)
    release.bake()
    race = Race(release, add_database(server, f"race_{name}"))
    began = time.monotonic()
    for _ in range(replicas):
        race.start()
    SCENARIOS[name](race)
    for replica in race.replicas:
        replica.wait()
    survivors = [replica for replica in race.replicas if not replica.killed]
    (duplicates,) = race.database.execute(
        "SELECT count(*) FROM (SELECT FROM django_migrations GROUP BY app, name"
        " HAVING count(*) > 1) AS twice"
    )[0]
    return Row(
        scenario=name.replace("_", " "),
        replicas=replicas,
        ready=sum(replica.is_ready() for replica in survivors),
        applied_by=sum(replica.has_migrated() for replica in survivors),
        waited=sum(replica.has_waited() for replica in survivors),
        early=sum(replica.was_early() for replica in survivors if not race.plain),
        duplicates=int(str(duplicates)),
        seconds=time.monotonic() - began,
    )
