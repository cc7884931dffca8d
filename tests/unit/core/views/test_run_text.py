"""What is shown of migrate runs, and of many schemas."""

import pytest
from msgspec.structs import replace

from factories import snapshot, status
from sidecar.core.gate.database_status import DatabaseStatus
from sidecar.core.gate.state import PollResult
from sidecar.core.migrations.compare import Outcome
from sidecar.core.migrations.manifest import Key
from sidecar.core.migrations.recorded import Blocker, LockHolder, MigrateRun
from sidecar.core.migrations.timeline import Applied, Batch, Timeline
from sidecar.core.reason import Reason
from sidecar.core.views.documents import check_document, status_document, target_document
from sidecar.core.views.next_step import next_step
from sidecar.core.views.text import (
    describe_gate,
    describe_group,
    describe_holder,
    describe_run,
    name_group,
)
from support.manifests import chain, manifest

SHOP = manifest(*chain("shop", "0001", "0002"))
BEHIND = status("shop.0001")
CURRENT = status("shop.0001", "shop.0002")
REPORT = Blocker(pid=7, application="report", state="idle in transaction", since=60.0)
BOTH = "pid 7 (report, idle in transaction since 00:01:00Z) and pid 8"
BLOCKED = MigrateRun(
    since=3600.0, waiting=2, blocked_since=3661.0, blockers=(REPORT, Blocker(pid=8))
)

NO_TIMES = (float("nan"), float("inf"), float("-inf"), 1e300, -1e300, 253402300800.0)


def of(database: DatabaseStatus, *schemas: str) -> DatabaseStatus:
    """Return the database with its group as that of these schemas."""
    name = schemas[0] if len(schemas) == 1 else None
    return replace(database, groups=(replace(database.groups[0], schema=name, schemas=schemas),))


def name(database: DatabaseStatus) -> str:
    """Return the name of a database's only group."""
    return name_group(database, database.groups[0])


@pytest.mark.parametrize(
    ("run", "line"),
    [
        (MigrateRun(since=3600.0), "running since 01:00:00Z"),
        (MigrateRun(), "finishing its last statements"),
        (
            BLOCKED,
            f"running since 01:00:00Z, 2 waiting, blocked since 01:01:01Z by {BOTH}",
        ),
        (
            MigrateRun(since=0.0, blocked_since=1.0),
            "running since 00:00:00Z, blocked since 00:00:01Z by another session",
        ),
        *((MigrateRun(since=time), "running since an unknown time") for time in NO_TIMES),
    ],
)  # fmt: skip
def test_a_run_is_described_in_one_line(run: MigrateRun, line: str) -> None:
    """Since when, who waits, and what blocks it, as far as the role may see."""
    assert describe_run(run) == line


@pytest.mark.parametrize(
    ("holder", "line"),
    [
        (LockHolder(pid=7), "held by pid 7"),
        (LockHolder(pid=7, role="shop", since=3600.0), "held by pid 7, role shop, since 01:00:00Z"),
        (
            LockHolder(pid=7, role="stranger", trusted=False),
            "held by pid 7, role stranger, who may not migrate: SELECT pg_terminate_backend(7)",
        ),
    ],
)
def test_the_holder_of_the_lock_is_named(holder: LockHolder, line: str) -> None:
    """With the statement that ends one who cannot be a migrate run."""
    assert describe_holder(holder) == line


def test_while_a_migrate_runs_the_advice_is_not_to_start_another() -> None:
    """What to do next is to wait, or to end what blocks it."""
    running = replace(BEHIND, run=MigrateRun(since=1.0))
    blocked = replace(BEHIND, run=BLOCKED)
    assert describe_group(running, running.groups[0]).endswith(", migrate running since 00:00:01Z")
    assert "python manage.py migrate" in next_step(Reason.SCHEMA_BEHIND, [BEHIND])
    assert next_step(Reason.SCHEMA_BEHIND, [running]).startswith("wait until the running migrate")
    assert next_step(Reason.SCHEMA_BEHIND, [blocked]).startswith("end what blocks")
    assert next_step(Reason.SCHEMA_CURRENT, [running]) == "nothing to do"


def test_many_schemas_are_counted_and_the_first_named() -> None:
    """Three names are enough to begin with; ten thousand help nobody."""
    assert name(CURRENT) == "default"
    assert name(of(CURRENT, "a")) == "default a"
    assert name(of(CURRENT, "a", "b")) == "default 2 schemas (a, b)"
    assert name(of(CURRENT, *"abcdefg")) == "default 7 schemas (a, b, c and 4 more)"


def test_the_gate_names_those_that_are_not_current() -> None:
    """Of several targets the healthy ones are left out, and of many the first few are named."""
    databases = [of(CURRENT, "a"), *(of(BEHIND, each) for each in "bcdef")]
    found = snapshot(databases, PollResult(at=1.0, outcome=Outcome.BEHIND))
    line = describe_gate(found.gate, found.databases)
    assert line.startswith("schema_behind: default b: 1 pending, next shop.0002; default c: ")
    assert line.endswith("; and 2 more")


def test_the_document_of_many_schemas_names_the_first_twenty() -> None:
    """With how many there are, and whether the gate depends on them."""
    many = of(CURRENT, *(f"t{number:02}" for number in range(30)))
    found = target_document(many, replace(many.groups[0], required=False))
    assert (found["count"], len(found["schemas"]), found["required"]) == (30, 20, False)


def test_the_status_has_a_run_its_batch_and_the_timeline() -> None:
    """Times in RFC 3339, durations in seconds."""
    timeline = Timeline(
        applied=(Applied(Key("shop.0001"), 10.0, 1.2345),), batch=Batch(began=9.0, count=1)
    )
    holder = LockHolder(pid=9, role="shop", since=60.0)
    target = replace(BEHIND, run=BLOCKED, lock_holder=holder, timeline=timeline)
    (found,) = status_document(snapshot([target]), SHOP.nodes)["targets"]
    assert found["migrate"]["blockers"][0] == {
        "pid": 7, "application": "report", "state": "idle in transaction",
        "since": "1970-01-01T00:01:00.000Z",
    }  # fmt: skip
    assert found["lock_holder"] == {
        "pid": 9, "role": "shop", "since": "1970-01-01T00:01:00.000Z", "trusted": True,
    }  # fmt: skip
    assert found["timeline"] == [
        {"migration": "shop.0001", "applied": "1970-01-01T00:00:10.000Z", "seconds": 1.234}
    ]
    assert found["batch"] == {"began": "1970-01-01T00:00:09.000Z", "ended": None, "migrations": 1}


@pytest.mark.parametrize(
    ("result", "verdict", "reason"),
    [
        (PollResult(at=0.0, outcome=Outcome.BEHIND), "behind", Reason.SCHEMA_BEHIND),
        (PollResult(at=0.0, failure=Reason.DATABASE_DENIED), "unknown", Reason.DATABASE_DENIED),
    ],
)
def test_a_check_has_the_worst_of_all(result: PollResult, verdict: str, reason: Reason) -> None:
    """One verdict and one reason for scripts, beside each target's own."""
    found = check_document([CURRENT, BEHIND], result, SHOP, ready=False)
    assert (found["verdict"], found["reason"], len(found["targets"])) == (verdict, reason, 2)
