"""The faults, one function each: all before `yield` strikes, all after it heals."""

import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from functools import partial
from typing import Final

import psycopg

from integration.faults.beside import Document
from integration.faults.stage import (
    ELSEWHERE,
    NEWER,
    Place,
    Row,
    Stage,
    State,
    record_anew,
    target_of,
)
from sidecar.core.reason import Reason
from support.database import Database
from support.faketime import ClockedServer
from support.process import until
from support.project import BEFORE_LEAF, LEAF
from support.proxy import Mode
from support.replica import come_back_stale

ROTATED: Final = "correct horse & battery/200%"
DAYS: Final = 400

UNREACHABLE: Final = Reason.DATABASE_UNREACHABLE
TIMEOUT: Final = Reason.DATABASE_TIMEOUT
DENIED: Final = Reason.DATABASE_DENIED

Act = Callable[[Stage], AbstractContextManager[None]]
Seen = Callable[[Document, Stage], bool]


class Effect(Enum):
    """What a fault may do to the gate."""

    OUTAGE = auto()
    """Nothing can be read: an open gate holds, any other stays as it is."""
    REGRESSION = auto()
    """The schema is behind: an open gate closes, once a second read agrees."""
    SILENCE = auto()
    """The sidecar itself answers nothing, neither yes nor no."""
    NONE = auto()
    """Nothing: the gate stays as it is."""


@dataclass(frozen=True)
class Failed:
    """/status shows that a read failed, for this reason."""

    reason: Reason
    message: str = ""
    """A pattern in the target's message."""

    def __call__(self, document: Document, _: Stage) -> bool:
        """Return whether it does."""
        target = target_of(document)
        return target["reason"] == self.reason and bool(
            re.search(self.message, target.get("message") or "")
        )


@dataclass(frozen=True)
class Fault:
    """A row of the matrix."""

    name: str
    act: Act
    seen: Seen
    """Whether /status shows it."""
    effect: Effect = Effect.OUTAGE
    place: Place = Place.SHARED
    lifts: bool = True
    """Whether what held the gate open ends when this strikes."""
    healed: Reason = Reason.SCHEMA_CURRENT
    """An open gate's reason afterwards."""

    @property
    def first(self) -> Mode:
        """Another fault, with another reason, to hold the gate open before this one."""
        unreachable = isinstance(self.seen, Failed) and self.seen.reason is UNREACHABLE
        return Mode.SILENT if unreachable else Mode.REFUSE

    def __str__(self) -> str:
        """The name."""
        return self.name


def _victim(on: Stage) -> str:
    """The last recorded migration that is required."""
    return BEFORE_LEAF if on.state is State.WAITING else LEAF


def _shows_pending(document: Document, on: Stage) -> bool:
    lost = [BEFORE_LEAF, LEAF] if on.state is State.WAITING else [LEAF]
    return target_of(document).get("pending") == lost


def _shows_no_table(document: Document, _: Stage) -> bool:
    return target_of(document).get("note") == "there is no table django_migrations in public"


def _shows_clock_off(document: Document, _: Stage) -> bool:
    read_at = datetime.fromisoformat(target_of(document)["read_at"])
    return abs(read_at + timedelta(days=DAYS) - datetime.now(UTC)) < timedelta(minutes=1)


def _shows_nothing(*_: object) -> bool:
    return False  # what does not answer shows nothing


def _shows_newer(document: Document, _: Stage) -> bool:
    return target_of(document).get("newer") == [NEWER]


@contextmanager
def kill_server(on: Stage) -> Iterator[None]:
    on.server.kill()
    yield
    on.server.start()


@contextmanager
def pause_server(on: Stage) -> Iterator[None]:
    on.server.pause()
    try:
        yield
    finally:
        on.server.resume()


@contextmanager
def stop_server(on: Stage, mode: str) -> Iterator[None]:
    clients = [on.server.connect() for _ in range(3)]
    on.server.stop(mode)
    for client in clients:
        client.close()
    yield
    on.server.start()


@contextmanager
def set_proxy_mode(on: Stage, mode: Mode) -> Iterator[None]:
    on.proxy.mode = mode
    yield
    on.proxy.mode = Mode.PASS


@contextmanager
def drop_packets(on: Stage) -> Iterator[None]:
    on.link.drop()
    yield
    on.link.restore()


@contextmanager
def fill_connections(on: Stage) -> Iterator[None]:
    with ExitStack() as crowd, on.server.connect() as one:
        with suppress(psycopg.OperationalError):
            while True:
                crowd.enter_context(on.server.connect())
        one.execute(on.end_sessions)  # its slot is kept for superusers
        yield


@contextmanager
def drop_role(on: Stage) -> Iterator[None]:
    on.execute(f"DROP OWNED BY {on.role}")
    on.execute(f"DROP ROLE {on.role}")
    yield
    record_anew(on.database, on.role, [])


@contextmanager
def change_password(on: Stage) -> Iterator[None]:
    on.execute(f"ALTER ROLE {on.role} PASSWORD '{ROTATED}'")
    on.server.execute(on.end_sessions)
    yield
    on.password_file.write_text(ROTATED + "\n")


@contextmanager
def revoke_permission(on: Stage) -> Iterator[None]:
    on.execute(f"REVOKE SELECT ON django_migrations FROM {on.role}")
    yield
    on.execute(f"GRANT SELECT ON django_migrations TO {on.role}")


@contextmanager
def rename_database(on: Stage) -> Iterator[None]:
    name, other = on.database.name, f"{on.database.name}_renamed"

    def rename(old: str, new: str) -> None:
        on.server.execute(f"ALTER DATABASE {old} ALLOW_CONNECTIONS false")
        on.server.execute(on.end_sessions)
        until(lambda: on.sessions() == 0, "nobody is connected")
        on.server.execute(f"ALTER DATABASE {old} RENAME TO {new}")
        on.server.execute(f"ALTER DATABASE {new} ALLOW_CONNECTIONS true")

    rename(name, other)
    yield
    rename(other, name)


@contextmanager
def lock_table(on: Stage) -> Iterator[None]:
    with on.server.connect(on.database.name) as locker:
        locker.execute("BEGIN; LOCK TABLE django_migrations IN ACCESS EXCLUSIVE MODE")
        yield


@contextmanager
def drop_table(on: Stage) -> Iterator[None]:
    on.execute("DROP TABLE django_migrations")
    yield
    record_anew(on.database, on.role, on.rows)


@contextmanager
def restore_table(on: Stage) -> Iterator[None]:
    """Restore a real dump in which one name is another: as many rows, the same ids."""
    app, _, name = _victim(on).partition(".")
    others = [(a, "other_" + n if (a, n) == (app, name) else n, at) for a, n, at in on.rows]
    before = on.execute("SELECT count(*), max(id) FROM django_migrations")
    _restore(on, others)
    assert on.execute("SELECT count(*), max(id) FROM django_migrations") == before
    yield
    _restore(on, on.rows)


def _restore(on: Stage, rows: list[Row]) -> None:
    name = f"{on.database.name}_elsewhere"
    elsewhere = on.world.add_database(on.server, name, on.role, rows)
    dump = _dump(elsewhere)
    on.server.execute(f"DROP DATABASE {name} WITH (FORCE)")
    file = on.folder / "dump.sql"
    file.write_text(f"BEGIN;\nTRUNCATE django_migrations;\n{dump}\nCOMMIT;\n")
    on.server.psql(on.database.name, file)


def _dump(database: Database) -> str:
    program = database.server._programs / "pg_dump"
    flags = ("--data-only", "--table=django_migrations")
    return subprocess.run(
        [program, *flags, database.server.url(database.name)],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip


@contextmanager
def delete_row(on: Stage) -> Iterator[None]:
    app, _, name = _victim(on).partition(".")
    on.execute(f"DELETE FROM django_migrations WHERE app = '{app}' AND name = '{name}'")
    yield
    on.record(_victim(on))


@contextmanager
def step_server_clock(on: Stage) -> Iterator[None]:
    assert isinstance(on.server, ClockedServer)
    on.server.clock.step(-DAYS)
    on.record(NEWER)  # by its date the oldest row of all
    yield
    on.server.clock.step(0)
    on.execute("DELETE FROM django_migrations WHERE applied < now() - interval '1 year'")


@contextmanager
def step_sidecar_clock(on: Stage) -> Iterator[None]:
    on.clock.step(-DAYS)
    yield
    on.clock.step(0)


@contextmanager
def stop_sidecar(on: Stage) -> Iterator[None]:
    on.sidecar.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        on.sidecar.process.send_signal(signal.SIGCONT)


@contextmanager
def block_event_loop(on: Stage) -> Iterator[None]:
    on.sidecar.blocked.touch()
    on.sidecar.process.send_signal(signal.SIGUSR1)
    try:
        yield
    finally:
        on.sidecar.blocked.unlink()


@contextmanager
def fail_over(on: Stage, *, silently: bool) -> Iterator[None]:
    """Lose the first server; then promote the second, and record a row that only it has."""
    first, second = on.server, on.replica
    until(lambda: second.follows(first), "the replica has caught up")
    if silently:
        first.pause()
    else:
        first.kill()
    yield
    second.promote()
    on.database = Database(second, on.database.name)
    on.record(NEWER)
    if not silently:
        come_back_stale(first)


@contextmanager
def move_name(on: Stage) -> Iterator[None]:
    on.proxy.mode = Mode.REFUSE
    yield
    on.names.point(ELSEWHERE)


FAULTS: Final = (
    Fault("server killed (SIGKILL)", kill_server, Failed(UNREACHABLE), place=Place.OWN),
    Fault("server stopped (SIGSTOP)", pause_server, Failed(TIMEOUT), place=Place.OWN),
    Fault(
        "server restarted", partial(stop_server, mode="fast"), Failed(UNREACHABLE), place=Place.OWN
    ),
    Fault(
        "immediate shutdown with clients",
        partial(stop_server, mode="immediate"),
        Failed(UNREACHABLE),
        place=Place.OWN,
    ),
    Fault("refused", partial(set_proxy_mode, mode=Mode.REFUSE), Failed(UNREACHABLE)),
    Fault("black-holed (proxy)", partial(set_proxy_mode, mode=Mode.SILENT), Failed(TIMEOUT)),
    Fault("packets dropped (namespace)", drop_packets, Failed(TIMEOUT), place=Place.APART),
    Fault("reset mid-query", partial(set_proxy_mode, mode=Mode.RESET), Failed(UNREACHABLE)),
    Fault("slow answers", partial(set_proxy_mode, mode=Mode.DELAY), Failed(TIMEOUT)),
    Fault("truncated answers", partial(set_proxy_mode, mode=Mode.TRUNCATE), Failed(UNREACHABLE)),
    Fault("corrupted answers", partial(set_proxy_mode, mode=Mode.CORRUPT), Failed(UNREACHABLE)),
    Fault(
        "too many connections",
        fill_connections,
        Failed(UNREACHABLE, message="too many clients|remaining connection slots"),
        place=Place.OWN,
    ),
    Fault("role dropped", drop_role, Failed(DENIED)),
    Fault(
        "password changed, then rotated",
        change_password,
        Failed(DENIED, message="password authentication failed"),
        place=Place.PASSWORD_FILE,
    ),
    Fault(
        "permission revoked",
        revoke_permission,
        Failed(DENIED, message="GRANT SELECT ON django_migrations"),
    ),
    Fault("database renamed", rename_database, Failed(DENIED, message="does not exist")),
    Fault("table locked", lock_table, Failed(TIMEOUT, message="locked by another session")),
    Fault("table dropped and recreated", drop_table, _shows_no_table, Effect.REGRESSION),
    Fault("table restored, ids reset", restore_table, _shows_pending, Effect.REGRESSION),
    Fault("rows deleted, re-inserted", delete_row, _shows_pending, Effect.REGRESSION),
    Fault(
        "server's clock wrong", step_server_clock, _shows_newer, Effect.NONE, Place.CLOCKED_SERVER
    ),
    Fault(
        "sidecar's clock stepped",
        step_sidecar_clock,
        _shows_clock_off,
        Effect.NONE,
        Place.CLOCKED_SIDECAR,
        lifts=False,
    ),
    Fault("sidecar stopped (SIGSTOP)", stop_sidecar, _shows_nothing, Effect.SILENCE, lifts=False),
    Fault("event loop blocked", block_event_loop, _shows_nothing, Effect.SILENCE, lifts=False),
    Fault(
        "failover, first comes back stale",
        partial(fail_over, silently=False),
        Failed(UNREACHABLE),
        place=Place.PAIR,
        healed=Reason.SCHEMA_AHEAD,
    ),
    Fault(
        "failover, first stays silent",
        partial(fail_over, silently=True),
        Failed(UNREACHABLE),
        place=Place.PAIR,
        healed=Reason.SCHEMA_AHEAD,
    ),
    Fault("name changes its address", move_name, Failed(UNREACHABLE), place=Place.NAMED),
)
