"""What is told of runs of migrate, and of many schemas."""

import msgspec
import pytest

from sidecar.core.gate.machine import begin, step
from sidecar.core.gate.snapshot import Identity, Snapshot, Target
from sidecar.core.gate.state import Look, Policy
from sidecar.core.migrations.compare import Outcome, compare
from sidecar.core.migrations.manifest import Key
from sidecar.core.migrations.recorded import Blocker, Run
from sidecar.core.migrations.timeline import Applied, Batch
from sidecar.core.reason import Reason
from sidecar.core.views.documents import check_document, status_document, target_document
from sidecar.core.views.text import gate_line, next_step, place, run_line, target_line
from support.manifests import chain, keys, manifest

SHOP = manifest(*chain("shop", "0001", "0002"))
BEHIND = Target(database="default", verdict=compare(SHOP, keys("shop.0001")), looked_at=5.0)
CURRENT = Target(
    database="default", verdict=compare(SHOP, keys("shop.0001", "shop.0002")), looked_at=5.0
)
REPORT = Blocker(pid=7, application="report", state="idle in transaction", since=60.0)
BOTH = "pid 7 (report, idle in transaction since 00:01:00Z) and pid 8"
BLOCKED = Run(since=3600.0, waiting=2, blocked_since=3661.0, blockers=(REPORT, Blocker(pid=8)))


def of(target: Target, *schemas: str) -> Target:
    """Return the target as that of these schemas."""
    name = schemas[0] if len(schemas) == 1 else None
    return msgspec.structs.replace(target, schema=name, schemas=schemas)


@pytest.mark.parametrize(
    ("run", "line"),
    [
        (Run(since=3600.0), "running since 01:00:00Z"),
        (Run(), "its last statements end"),
        (
            BLOCKED,
            f"running since 01:00:00Z, 2 waiting, blocked since 01:01:01Z by {BOTH}",
        ),
        (
            Run(since=0.0, blocked_since=1.0),
            "running since 00:00:00Z, blocked since 00:00:01Z by another session",
        ),
    ],
)  # fmt: skip
def test_a_run_is_told_in_one_line(run: Run, line: str) -> None:
    """Since when, who waits, and what blocks it, as far as the role may see."""
    assert run_line(run) == line


def test_while_a_migrate_runs_nobody_is_sent_to_start_another() -> None:
    """What to do next is to wait, or to end what blocks it."""
    running = msgspec.structs.replace(BEHIND, run=Run(since=1.0))
    blocked = msgspec.structs.replace(BEHIND, run=BLOCKED)
    assert target_line(running).endswith(", migrate running since 00:00:01Z")
    assert "python manage.py migrate" in next_step(Reason.SCHEMA_BEHIND, [BEHIND])
    assert next_step(Reason.SCHEMA_BEHIND, [running]).startswith("wait until the running migrate")
    assert next_step(Reason.SCHEMA_BEHIND, [blocked]).startswith("end what blocks")
    assert next_step(Reason.SCHEMA_CURRENT, [running]) == "nothing to do"


def test_many_schemas_are_counted_and_the_first_named() -> None:
    """Three names are enough to begin with; ten thousand help nobody."""
    assert place(CURRENT) == "default"
    assert place(of(CURRENT, "a")) == "default a"
    assert place(of(CURRENT, "a", "b")) == "default 2 schemas (a, b)"
    assert place(of(CURRENT, *"abcdefg")) == "default 7 schemas (a, b, c and 4 more)"


def test_the_gate_names_those_that_are_not_current() -> None:
    """Of several targets the healthy ones go without saying, and of many the first few do."""
    gate = step(begin(0.0), Look(at=1.0, outcome=Outcome.BEHIND), Policy())
    targets = [of(CURRENT, "a"), *(of(BEHIND, name) for name in "bcdef")]
    line = gate_line(gate, targets)
    assert line.startswith("schema_behind: default b: 1 pending, next shop.0002; default c: ")
    assert line.endswith("; and 2 more")


def test_the_document_of_many_schemas_names_the_first_twenty() -> None:
    """And says how many there are, and whether the gate depends on them."""
    many = of(CURRENT, *(f"t{number:02}" for number in range(30)))
    told = target_document(msgspec.structs.replace(many, required=False))
    assert (told["count"], len(told["schemas"]), told["required"]) == (30, 20, False)


def test_the_status_tells_a_run_its_batch_and_the_timeline() -> None:
    """Times in RFC 3339, durations in seconds."""
    target = msgspec.structs.replace(
        BEHIND,
        run=BLOCKED,
        timeline=(Applied(Key("shop.0001"), 10.0, 1.2345),),
        batch=Batch(began=9.0, count=1),
    )
    snapshot = Snapshot(
        gate=begin(0.0), targets=(target,), identity=Identity(None, "sha256:0", "5.2"),
        epoch=0.0, started_at=0.0,
    )  # fmt: skip
    (told,) = status_document(snapshot, SHOP.nodes)["targets"]
    assert told["migrate"]["blockers"][0] == {
        "pid": 7, "application": "report", "state": "idle in transaction",
        "since": "1970-01-01T00:01:00.000Z",
    }  # fmt: skip
    assert told["timeline"] == [
        {"migration": "shop.0001", "applied": "1970-01-01T00:00:10.000Z", "seconds": 1.234}
    ]
    assert told["batch"] == {"began": "1970-01-01T00:00:09.000Z", "ended": None, "migrations": 1}


@pytest.mark.parametrize(
    ("look", "verdict", "reason"),
    [
        (Look(at=0.0, outcome=Outcome.BEHIND), "behind", Reason.SCHEMA_BEHIND),
        (Look(at=0.0, failure=Reason.DATABASE_DENIED), "unknown", Reason.DATABASE_DENIED),
    ],
)
def test_a_check_is_told_with_the_worst_of_all(look: Look, verdict: str, reason: Reason) -> None:
    """One verdict and one reason for scripts, beside each target's own."""
    told = check_document([CURRENT, BEHIND], look, SHOP, ready=False)
    assert (told["verdict"], told["reason"], len(told["targets"])) == (verdict, reason, 2)
