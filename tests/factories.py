"""Values of the core for unit tests: databases, rows, reads, snapshots."""

from collections.abc import Sequence
from typing import Any

from sidecar.core.gate.database_status import DatabaseStatus, RequiredSchemas, SchemaGroup
from sidecar.core.gate.machine import initial_gate, step
from sidecar.core.gate.snapshot import Identity, Snapshot
from sidecar.core.gate.state import Event, Policy
from sidecar.core.gate.tracking import after_read, unread_database
from sidecar.core.migrations.compare import compare
from sidecar.core.migrations.manifest import Manifest
from sidecar.core.migrations.recorded import Recorded
from support.manifests import chain, keys, manifest

EXPECTED = manifest(*chain("shop", "0001", "0002"))


def database(name: str = "default") -> DatabaseStatus:
    """Return a database that was never read."""
    return unread_database(name, RequiredSchemas())


def several(*sets: tuple[str, tuple[str, ...]]) -> Recorded:
    """Return these rows of these schemas, as one read."""
    first, *others = (Recorded(text, schemas=names) for text, names in sets)
    return Recorded(first.text, schemas=first.schemas, others=tuple(others))


def read(
    status: DatabaseStatus,
    recorded: Recorded,
    required: RequiredSchemas = RequiredSchemas(),  # noqa: B008 - frozen
    *,
    at: float = 1.0,
    opened: bool = False,
) -> DatabaseStatus:
    """Return the status after a read, judged by shop.0001 and shop.0002."""
    return after_read(
        status,
        recorded,
        lambda keys: compare(EXPECTED, keys),
        required,
        at=at,
        opened=opened,
    )


OF_DATABASE = ("read_at", "progress_at", "run", "timeline", "reads", "duration")


def status(
    *names: str, of: Manifest = EXPECTED, database: str = "default", **facts: Any
) -> DatabaseStatus:
    """Return a database of one group, in which these migrations are recorded.

    `facts` are fields of the database or of its group; with a failure it has no verdict.
    """
    of_database = {name: facts.pop(name) for name in OF_DATABASE if name in facts}
    if "failure" not in facts:
        facts["verdict"] = compare(of, keys(*names))
    group = SchemaGroup(**facts)
    return DatabaseStatus(database=database, groups=(group,), **{"read_at": 5.0, **of_database})


def snapshot(databases: Sequence[DatabaseStatus], *events: Event) -> Snapshot:
    """Return what outputs get after these events, on a clock that starts at zero."""
    gate = initial_gate(0.0)
    for event in events:
        gate = step(gate, event, Policy())
    return Snapshot(
        gate=gate,
        databases=tuple(databases),
        identity=Identity("1.0", "sha256:0", "5.2"),
        epoch=1_700_000_000.0,
        started_at=0.0,
    )
