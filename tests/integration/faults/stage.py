"""Where a cell plays: a database, a proxy before it, a sidecar before that, in a gate state."""

import itertools
import shutil
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from enum import Enum, StrEnum, auto
from pathlib import Path
from typing import Final, Self
from urllib.parse import quote

import psycopg

from integration.faults.beside import Beside, Document
from sidecar.core.reason import Reason
from support.database import Database, add_database
from support.faketime import Clock, ClockedServer
from support.network import Link, Names
from support.postgres import PASSWORD, Server
from support.process import until
from support.project import LEAF, READER_SQL
from support.proxy import Mode, Proxy
from support.replica import Replica

FLAGS: Final = ("--connect-timeout=3s", "--read-timeout=3s", "--drain-delay=0s")
HOST: Final = "database.faults.test"
NEWER: Final = "orders.0013_of_a_newer_release"
ELSEWHERE: Final = "127.0.0.2"
MIGRATOR: Final = "shop_migrate"

Connection = psycopg.Connection[tuple[object, ...]]
Row = tuple[str, str, str]


class State(StrEnum):
    """What the gate is when the fault strikes."""

    WAITING = "waiting"
    """One migration behind; never open yet."""
    OPEN = "open"
    """Fully migrated, a look every 1.1 s, no connection in between."""
    HOLDING = "holding"
    """Fully migrated and held open against another fault; a look every 200 ms before."""


class Place(Enum):
    """What a fault needs around it."""

    SHARED = auto()
    OWN = auto()
    """A server that it may break."""
    CLOCKED_SERVER = auto()
    CLOCKED_SIDECAR = auto()
    PAIR = auto()
    """A primary and a streaming replica, both in the URL."""
    NAMED = auto()
    """The host is a name that can change its address."""
    APART = auto()
    """The sidecar has a network of its own."""
    PASSWORD_FILE = auto()


COUNTABLE: Final = frozenset({Place.SHARED, Place.PASSWORD_FILE, Place.NAMED, Place.APART})
"""Where the server can be asked for its sessions while the fault lasts."""


class World:
    """What the cells share: servers, the rows of a migrated project, its manifest."""

    def __init__(self, server: Server, template: str, manifest: Path) -> None:
        """Take a server, a fully migrated database of it, and the baked manifest."""
        self.server = server
        self.manifest = manifest
        self.rows: list[Row] = [
            (str(app), str(name), str(applied))
            for app, name, applied in server.execute(
                "SELECT app, name, applied::text FROM django_migrations ORDER BY id", template
            )
        ]
        self.numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._idle: list[Server] = []
        self._made = ExitStack()

    def __enter__(self) -> Self:
        """Nothing to do: servers are made when they are asked for."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove every server that was made."""
        self._made.close()

    @contextmanager
    def lend(self, kind: type[Server], *, again: bool = True) -> Iterator[Server]:
        """Lend a server to break; it is lent again after a cell that passed and mended it."""
        with self._lock:
            found = next((server for server in self._idle if type(server) is kind), None)
            if found is not None:
                self._idle.remove(found)
        server = found or kind(self.server._programs)
        if found is None:
            self._made.callback(server.destroy)
            with (server.data / "postgresql.auto.conf").open("a") as settings:
                settings.write("max_connections = 20\n")
            server.start()
        yield server
        if again:
            self._idle.append(server)

    def add_database(self, server: Server, name: str, role: str, rows: Sequence[Row]) -> Database:
        """Create a database with these rows, and a role of its own that reads them."""
        with self._lock:  # two cells must not create the migrating role at once
            database = add_database(server, name)
        record_anew(database, role, rows)
        return database


def record_anew(database: Database, role: str, rows: Sequence[Row]) -> None:
    """Make the table if it is not there, grant it to a role, and record rows with ids from 1."""
    secrets = {"password": PASSWORD, "migrator": MIGRATOR, "schema": "public"}
    database.server.psql(database.name, READER_SQL, reader=role, **secrets)
    values = ", ".join(f"('{app}', '{name}', '{applied}')" for app, name, applied in rows)
    if rows:
        database.execute(f"INSERT INTO django_migrations (app, name, applied) VALUES {values}")


@dataclass
class Stage:
    """One cell's own things."""

    world: World
    state: State
    database: Database
    role: str
    folder: Path
    rows: list[Row]
    proxies: list[Proxy] = field(default_factory=list)
    first: Mode = Mode.REFUSE
    """The fault that holds the gate open before the cell's own strikes."""
    monitor: Connection | None = None
    """A connection that asks for sessions, where the server lives all the time."""
    sidecar: Beside = field(init=False)
    replica: Replica = field(init=False)
    names: Names = field(init=False)
    link: Link = field(init=False)
    clock: Clock = field(init=False)

    @property
    def server(self) -> Server:
        """The server that the database is on."""
        return self.database.server

    @property
    def proxy(self) -> Proxy:
        """What the sidecar takes for the server."""
        return self.proxies[0]

    @property
    def password_file(self) -> Path:
        """Where a sidecar that was told so finds its password."""
        return self.folder / "password"

    def execute(self, statement: str) -> list[tuple[object, ...]]:
        """Run a statement in the cell's database, as superuser."""
        return self.database.execute(statement)

    def record(self, migration: str) -> None:
        """Record a migration as applied just now, by the server's clock."""
        app, _, name = migration.partition(".")
        self.execute(
            "INSERT INTO django_migrations (app, name, applied)"
            f" VALUES ('{app}', '{name}', clock_timestamp())"
        )

    def sessions(self) -> int:
        """Return how many connections of the sidecar's role the server has."""
        mine = f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{self.role}'"
        if self.monitor is None:
            ((count,),) = self.server.execute(mine)
        else:
            ((count,),) = self.monitor.execute(mine).fetchall()
        assert isinstance(count, int)
        return count

    @property
    def end_sessions(self) -> str:
        """SQL that ends the sidecar's sessions: they would not notice what new ones meet."""
        ours = f"FROM pg_stat_activity WHERE usename = '{self.role}'"
        return f"SELECT pg_terminate_backend(pid) {ours}"

    def lift(self) -> None:
        """End the fault that held the gate open, unless another has taken its place."""
        for proxy in self.proxies:
            if proxy.mode is self.first:
                proxy.mode = Mode.PASS


def told(document: Document) -> Document:
    """Return what /status says of the one target."""
    target: Document = document["targets"][0]
    return target


@dataclass(frozen=True)
class Settled:
    """/status says that all is well, as far as the state allows."""

    state: State
    reason: Reason = Reason.SCHEMA_CURRENT

    def __call__(self, document: Document) -> bool:
        """Tell whether it says so."""
        target = told(document)
        if target.get("newer") != ([NEWER] if self.reason is Reason.SCHEMA_AHEAD else []):
            return False
        if self.state is State.WAITING:
            return (document["phase"], target["pending"]) == ("waiting", [LEAF])
        return (document["phase"], document["reason"]) == ("open", self.reason)


@contextmanager
def stage(place: Place, state: State, first: Mode, world: World) -> Iterator[Stage]:
    """Set everything up until the gate waits or is open; take everything away."""
    number = next(world.numbers)
    rows = [row for row in world.rows if state is not State.WAITING or f"{row[0]}.{row[1]}" != LEAF]
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="sidecar-fault-"))
        stack.callback(shutil.rmtree, folder)
        server = stack.enter_context(_server(place, world))
        role = f"fault_reader_{number}"
        database = world.add_database(server, f"fault_{number}", role, rows)
        on = Stage(world, state, database, role, folder, rows, first=first)
        if place in COUNTABLE:
            on.monitor = stack.enter_context(server.connect())
        on.sidecar = stack.enter_context(_sidecar(on, place, stack))
        if place is Place.APART:
            on.link.plug(on.sidecar.process.pid)
        until(lambda: Settled(state)(on.sidecar.status()), f"the gate is {state}")
        yield on
        if on.server is server:
            server.execute(f"DROP DATABASE {database.name} WITH (FORCE)")


@contextmanager
def _server(place: Place, world: World) -> Iterator[Server]:
    match place:
        case Place.OWN:
            with world.lend(Server) as server:
                yield server
        case Place.CLOCKED_SERVER:
            with world.lend(ClockedServer) as server:
                yield server
        case Place.PAIR:
            with world.lend(Server, again=False) as server:
                yield server
        case _:
            yield world.server


def _sidecar(on: Stage, place: Place, stack: ExitStack) -> Beside:
    """Put proxies before the servers and start a sidecar before them."""
    manifest = on.folder / "manifest.json"
    manifest.write_bytes(on.world.manifest.read_bytes())
    flags = [*FLAGS, f"--interval={'1100ms' if on.state is State.OPEN else '200ms'}"]
    listen = "127.0.0.1:0"
    variables: dict[str, str] = {}
    under: Sequence[str] = ()
    secret, host, query = f":{quote(PASSWORD, safe='')}", "127.0.0.1", ""
    match place:
        case Place.PASSWORD_FILE:
            on.password_file.write_text(PASSWORD + "\n")
            secret = ""
            flags.append(f"--password-file={on.password_file}")
        case Place.NAMED:
            on.names = Names(on.folder, HOST, "127.0.0.1")
            host, under = HOST, on.names.prefix
        case Place.APART:
            on.link = stack.enter_context(Link())
            host, under = on.link.address, on.link.prefix
            listen = f"unix:{on.folder / 'socket'}"
        case Place.CLOCKED_SIDECAR:
            on.clock = Clock(on.folder / "clock")
            variables = on.clock.variables
        case Place.PAIR:
            on.replica = stack.enter_context(Replica(on.server))
            query = "?target_session_attrs=read-write"
        case _:
            pass
    address = on.link.address if place is Place.APART else "127.0.0.1"
    servers = [on.server, on.replica] if place is Place.PAIR else [on.server]
    on.proxies = [stack.enter_context(Proxy(server.port, address)) for server in servers]
    hosts = ",".join(f"{host}:{proxy.port}" for proxy in on.proxies)
    url = f"postgresql://{on.role}{secret}@{hosts}/{on.database.name}{query}"
    if place is Place.NAMED:
        other = Proxy(on.server.port, ELSEWHERE, on.proxy.port)
        on.proxies.append(stack.enter_context(other))
    flags.append(f"--listen={listen}")
    return Beside(manifest, *flags, under=under, DATABASE_URL=url, **variables)
