"""Text and documents for people and scripts."""

import json

import msgspec
import pytest
from msgspec.structs import replace

from factories import snapshot, status
from sidecar.core.gate.database_status import DatabaseStatus
from sidecar.core.gate.snapshot import combine
from sidecar.core.gate.state import Drain, Gate, PollResult
from sidecar.core.migrations.compare import Outcome
from sidecar.core.migrations.manifest import Key
from sidecar.core.migrations.recorded import Blocker, MigrateRun
from sidecar.core.migrations.timeline import Applied, Batch, Timeline
from sidecar.core.reason import Reason
from sidecar.core.views.documents import status_document, target_document
from sidecar.core.views.next_step import NEXT_STEPS, next_step
from sidecar.core.views.text import describe_gate, describe_group, timestamp
from support.manifests import chain, manifest, node

SHOP = manifest(*chain("shop", "0001", "0002", "0003", operations=["AddField x"]))
DOWN = status(failure=Reason.DATABASE_UNREACHABLE, message="db: refused")
UNREAD = DatabaseStatus(database="default", groups=(status(failure=None).groups[0],))


def shop(*rows: str, **facts: object) -> DatabaseStatus:
    """Return the shop's database with these rows."""
    return status(*rows, **{"of": SHOP, "schema": "public", **facts})  # type: ignore[arg-type]


def describe(database: DatabaseStatus) -> str:
    """Return the line of a database's only group."""
    return describe_group(database, database.groups[0])


CURRENT = shop("shop.0001", "shop.0002", "shop.0003")
BEHIND = shop("shop.0001")
AHEAD = shop("shop.0001", "shop.0002", "shop.0003", "shop.0004", "shop.0005")
BROKEN = shop("shop.0002", "shop.0003")


def optional(database: DatabaseStatus) -> DatabaseStatus:
    """Return the database as one that the gate does not depend on."""
    return replace(database, groups=(replace(database.groups[0], required=False),))


def test_a_timestamp_is_in_utc_to_the_millisecond() -> None:
    """RFC 3339 with a Z, and nothing where there is no time."""
    assert timestamp(1_700_000_000.1234) == "2023-11-14T22:13:20.123Z"
    outside = (None, float("inf"), float("-inf"), float("nan"), 1e12, -1e12, 253402300799.9999999)
    assert {timestamp(each) for each in outside} == {None}


@pytest.mark.parametrize(
    ("target", "line"),
    [
        (UNREAD, "starting"),
        (CURRENT, "schema_current"),
        (BEHIND, "schema_behind: 2 pending, next shop.0002"),
        (AHEAD, "schema_ahead: 2 newer, last shop.0005"),
        (BROKEN, "history_inconsistent: shop.0002 is applied before shop.0001, shop.0001 hidden"),
        (DOWN, "database_unreachable: db: refused"),
        (shop(note="no table"), "schema_behind: 3 pending, next shop.0001, no table"),
    ],
)  # fmt: skip
def test_a_group_is_described_in_one_line(target: DatabaseStatus, line: str) -> None:
    """The reason, how much of it, and the first name."""
    assert describe(target) == line


def test_rare_findings_are_described_with_their_names() -> None:
    """Graph errors, conflicts, hidden, lost, pruned and optional migrations are named."""
    gone = manifest(
        node("a.3", "a.2"),
        node("a.s", replaces=["a.1", "a.2"]),
        missing=[{"migration": "a.2", "wanted_by": "a.3"}],
    )
    assert "which no file defines" in describe(shop("a.1", of=gone))
    forked = manifest(*chain("a", "1", "2"), node("a.2b", "a.1"), apps=["a"])
    assert "conflict between a.2 and a.2b" in describe(shop("a.1", "a.2", of=forked))
    gap = manifest(*chain("a", "1", "2", "3", "4"), node("a.s", "a.2", replaces=["a.3", "a.4"]))
    assert "a.1 and 1 more hidden" in describe(shop("a.3", "a.4", of=gap))
    lost = manifest(node("a.s", replaces=["a.1", "a.2"]), node("a.3", "a.s"))
    assert describe(shop("a.1", "a.3", of=lost)) == "schema_current: a.2 lost, but harmless"
    assert describe(shop("a.1", of=lost)).startswith("history_inconsistent: a.2 lost, ")
    leaf = manifest(node("a.s", replaces=["a.1"]))
    assert "pruned by a newer release" in describe(shop("a.s", of=leaf))
    later = manifest(node("a.1"), optional=["a.*"])
    assert describe(shop(of=later)) == "schema_current: 1 optional pending"


def test_the_gate_is_described_with_what_holds_it_and_why() -> None:
    """Reason, what it holds against, and each target that is not current."""
    held = Gate(since=0.0, reason=Reason.SCHEMA_CURRENT, holding=Reason.DATABASE_UNREACHABLE)
    assert describe_gate(held, [DOWN]) == (
        "schema_current (holding: database_unreachable): db: refused"
    )
    assert describe_gate(Gate(since=0.0, reason=Reason.SCHEMA_BEHIND), [BEHIND]) == (
        "schema_behind: 2 pending, next shop.0002"
    )
    drained = snapshot([DOWN], Drain(1.0))
    assert describe_gate(drained.gate, drained.databases) == "draining"
    assert set(NEXT_STEPS) == set(Reason)


def test_a_target_is_a_document_with_every_list() -> None:
    """Scripts find the same fields whatever the verdict; an unread target has none of them."""
    document = json.loads(msgspec.json.encode(target_document(BROKEN, BROKEN.groups[0])))
    assert document["inconsistent"] == [["shop.0002", "shop.0001"]]
    counted = [document[name] for name in ("expected", "applied", "verdict")]
    assert counted == [3, 2, "inconsistent"]
    assert set(target_document(CURRENT, CURRENT.groups[0])) == set(document)
    assert target_document(DOWN, DOWN.groups[0]) == {
        "database": "default",
        "schema": None,
        "verdict": "unknown",
        "reason": "database_unreachable",
        "message": "db: refused",
    }


def test_the_status_has_the_gate_and_the_operations_of_what_is_pending() -> None:
    """Who, since when, why, and what will run next, with its operations."""
    behind = snapshot([BEHIND], PollResult(at=2.0, outcome=Outcome.BEHIND))
    document = status_document(behind, SHOP.nodes)
    assert document["since"] == "2023-11-14T22:13:22.000Z"
    assert (document["ready"], document["reason"]) == (False, "schema_behind")
    assert document["opened_at"] is None
    assert document["targets"][0]["operations"] == dict.fromkeys(
        ("shop.0002", "shop.0003"), ("AddField x",)
    )
    opened = snapshot([CURRENT], PollResult(at=2.0, outcome=Outcome.CURRENT))
    assert status_document(opened, {})["opened_at"] == "2023-11-14T22:13:22.000Z"
    assert status_document(snapshot([DOWN]), {})["targets"][0]["operations"] == {}


def test_a_migrate_run_is_described_with_what_blocks_it() -> None:
    """Since when, who waits, and which session to end; what the role may not see is left out."""
    blockers = (Blocker(pid=7, application="psql", state="idle in transaction", since=60.0),
                Blocker(pid=8))  # fmt: skip
    run = MigrateRun(since=1.0, waiting=2, blocked_since=61.0, blockers=blockers)
    blocked = shop("shop.0001", run=run)
    assert describe(blocked).endswith(
        "migrate running since 00:00:01Z, 2 waiting, blocked since 00:01:01Z by "
        "pid 7 (psql, idle in transaction since 00:01:00Z) and pid 8"
    )
    assert "pg_terminate_backend" in next_step(Reason.SCHEMA_BEHIND, [blocked])
    running = shop("shop.0001", run=MigrateRun())
    assert describe(running).endswith("migrate finishing its last statements")
    assert next_step(Reason.SCHEMA_BEHIND, [running]) == NEXT_STEPS[Reason.MIGRATE_RUNNING]
    assert next_step(Reason.DATABASE_DENIED, [running]) == NEXT_STEPS[Reason.DATABASE_DENIED]
    document = status_document(snapshot([blocked]), SHOP.nodes)["targets"][0]["migrate"]
    assert document["waiting"] == 2
    assert document["blockers"][1] == {"pid": 8, "application": "", "state": None, "since": None}


def test_what_was_applied_has_its_durations() -> None:
    """The newest last, no more than fifty, and the batch that they were part of."""
    timeline = tuple(Applied(Key(f"shop.{n:04}"), float(n), n / 8 or None) for n in range(60))
    batch = Batch(began=1.0, ended=59.0, count=60)
    target = shop(timeline=Timeline(applied=timeline, observed=60, batch=batch))
    document = status_document(snapshot([target]), SHOP.nodes)["targets"][0]
    assert len(document["timeline"]) == 50
    assert document["timeline"][-1] == {
        "migration": "shop.0059",
        "applied": "1970-01-01T00:00:59.000Z",
        "seconds": 7.375,
    }
    assert document["batch"]["migrations"] == 60
    first = shop(timeline=Timeline(applied=timeline[:1]))
    document = status_document(snapshot([first]), SHOP.nodes)["targets"][0]
    assert (document["timeline"][0]["seconds"], document["batch"]) == (None, None)


def test_the_status_has_the_risks_of_what_is_pending() -> None:
    """What breaks, cannot be undone, changes data or can stay half done is named, in few words."""
    facts = {"reversible": False, "touches_data": True, "atomic": False}
    risky = manifest(node("shop.0001"), node("shop.0002", "shop.0001", breaks=["drops x"], **facts))
    behind = snapshot([shop(of=risky)], PollResult(at=2.0, outcome=Outcome.BEHIND))
    assert status_document(behind, risky.nodes)["targets"][0]["risks"] == {
        "shop.0002": (
            "drops x",
            "cannot be rolled back",
            "changes data, for as long as that takes",
            "not atomic: half of it can stay",
        )
    }


def test_each_database_that_is_behind_has_its_command() -> None:
    """Django migrates one database at a time."""
    other = replace(BEHIND, database="other")
    replica = optional(replace(BEHIND, database="replica"))
    default, more = "python manage.py migrate", "python manage.py migrate --database=other"
    for targets, commands in (
        ((BEHIND,), default),
        ((CURRENT, other, replica), more),
        ((BEHIND, other), f"{default} && {more}"),
    ):
        step = next_step(Reason.SCHEMA_BEHIND, targets)
        assert step == f"apply the migrations: {commands}"


NEVER = replace(UNREAD, database="x", read_at=None)


@pytest.mark.parametrize(
    ("targets", "result"),
    [
        ((CURRENT, NEVER), None),
        (
            (CURRENT, optional(NEVER)),
            PollResult(at=9.0, outcome=Outcome.CURRENT),
        ),
        ((optional(NEVER),), None),
        ((CURRENT, CURRENT), PollResult(at=9.0, outcome=Outcome.CURRENT)),
        ((CURRENT, AHEAD), PollResult(at=9.0, outcome=Outcome.AHEAD)),
        ((AHEAD, DOWN), PollResult(at=9.0, failure=Reason.DATABASE_UNREACHABLE, outage=True)),
        ((DOWN, BEHIND, AHEAD), PollResult(at=9.0, outcome=Outcome.BEHIND, outage=True)),
        ((BEHIND, BROKEN, DOWN), PollResult(at=9.0, outcome=Outcome.INCONSISTENT, outage=True)),
    ],
)
def test_the_worst_target_counts(
    targets: tuple[DatabaseStatus, ...], result: PollResult | None
) -> None:
    """Inconsistent, behind, unknown, ahead, current; nothing before all required was read."""
    assert combine(targets, 9.0) == result
