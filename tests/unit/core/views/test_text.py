"""What people and scripts are told."""

import json
from typing import Any

import msgspec
import pytest

from sidecar.core.gate.machine import begin, step
from sidecar.core.gate.snapshot import Identity, Snapshot, Target, overall
from sidecar.core.gate.state import Drain, Gate, Look, Policy
from sidecar.core.migrations.compare import Outcome, compare
from sidecar.core.migrations.manifest import Key
from sidecar.core.migrations.recorded import Blocker, Run
from sidecar.core.migrations.timeline import Applied, Batch
from sidecar.core.reason import Reason
from sidecar.core.views.documents import (
    health_document,
    status_document,
    target_document,
    timestamp,
)
from sidecar.core.views.text import NEXT, gate_line, next_step, target_line
from support.manifests import chain, keys, manifest, node

SHOP = manifest(*chain("shop", "0001", "0002", "0003", operations=["AddField x"]))
DOWN = Target(
    database="default", failure=Reason.DATABASE_UNREACHABLE, message="db: refused", looked_at=5.0
)


def seen(*rows: str, of: Any = SHOP, **facts: Any) -> Target:
    verdict = compare(of, keys(*rows))
    return Target(database="default", schema="public", verdict=verdict, looked_at=5.0, **facts)


CURRENT = seen("shop.0001", "shop.0002", "shop.0003")
BEHIND = seen("shop.0001")
AHEAD = seen("shop.0001", "shop.0002", "shop.0003", "shop.0004", "shop.0005")
BROKEN = seen("shop.0002", "shop.0003")


def snapshot(target: Target, *events: Any) -> Snapshot:
    gate = begin(0.0)
    for event in events:
        gate = step(gate, event, Policy())
    return Snapshot(
        gate=gate,
        targets=(target,),
        identity=Identity("1.0", "sha256:0", "5.2"),
        epoch=1_700_000_000.0,
        started_at=0.0,
    )


def test_a_time_is_told_in_utc_to_the_millisecond() -> None:
    """RFC 3339 with a Z, and nothing where there is no time."""
    assert timestamp(1_700_000_000.1234) == "2023-11-14T22:13:20.123Z"
    untold = (None, float("inf"), float("-inf"), float("nan"), 1e12, -1e12, 253402300799.9999999)
    assert {timestamp(each) for each in untold} == {None}


@pytest.mark.parametrize(
    ("target", "line"),
    [
        (Target(database="default"), "starting"),
        (CURRENT, "schema_current"),
        (BEHIND, "schema_behind: 2 pending, next shop.0002"),
        (AHEAD, "schema_ahead: 2 newer, last shop.0005"),
        (BROKEN, "history_inconsistent: shop.0002 is applied before shop.0001, shop.0001 hidden"),
        (DOWN, "database_unreachable: db: refused"),
        (seen(note="no table"), "schema_behind: 3 pending, next shop.0001, no table"),
    ],
)  # fmt: skip
def test_a_target_is_told_in_one_line(target: Target, line: str) -> None:
    """The reason, how much of it, and the first name."""
    assert target_line(target) == line


def test_rare_findings_are_told_with_their_names() -> None:
    """Graph errors, conflicts, hidden, lost, pruned and optional migrations are named."""
    gone = manifest(
        node("a.3", "a.2"),
        node("a.s", replaces=["a.1", "a.2"]),
        missing=[{"migration": "a.2", "wanted_by": "a.3"}],
    )
    assert "which no file defines" in target_line(seen("a.1", of=gone))
    forked = manifest(*chain("a", "1", "2"), node("a.2b", "a.1"), apps=["a"])
    assert "conflict between a.2 and a.2b" in target_line(seen("a.1", "a.2", of=forked))
    gap = manifest(*chain("a", "1", "2", "3", "4"), node("a.s", "a.2", replaces=["a.3", "a.4"]))
    assert "a.1 and 1 more hidden" in target_line(seen("a.3", "a.4", of=gap))
    lost = manifest(node("a.s", replaces=["a.1", "a.2"]), node("a.3", "a.s"))
    assert target_line(seen("a.1", "a.3", of=lost)) == "schema_current: a.2 lost"
    leaf = manifest(node("a.s", replaces=["a.1"]))
    assert "pruned by a newer release" in target_line(seen("a.s", of=leaf))
    later = manifest(node("a.1"), optional=["a.*"])
    assert target_line(seen(of=later)) == "schema_current: 1 optional pending"


def test_the_gate_is_told_with_what_holds_it_and_why() -> None:
    """Reason, what it holds against, and each target that has more to say."""
    held = Gate(since=0.0, reason=Reason.SCHEMA_CURRENT, holding=Reason.DATABASE_UNREACHABLE)
    assert gate_line(held, [DOWN]) == (
        "schema_current (holding: database_unreachable): db: refused"
    )
    assert gate_line(Gate(since=0.0, reason=Reason.SCHEMA_BEHIND), [BEHIND]) == (
        "schema_behind: 2 pending, next shop.0002"
    )
    drained = snapshot(DOWN, Drain(1.0))
    assert gate_line(drained.gate, drained.targets) == "draining"
    assert set(NEXT) == set(Reason)


def test_a_target_is_a_document_with_every_list() -> None:
    """Scripts find the same fields whatever the verdict; an unread target has none of them."""
    document = json.loads(msgspec.json.encode(target_document(BROKEN)))
    assert document["inconsistent"] == [["shop.0002", "shop.0001"]]
    counted = [document[name] for name in ("expected", "applied", "verdict")]
    assert counted == [3, 2, "inconsistent"]
    assert set(target_document(CURRENT)) == set(document)
    assert target_document(DOWN) == {
        "database": "default",
        "schema": None,
        "verdict": "unknown",
        "reason": "database_unreachable",
        "message": "db: refused",
    }


def test_the_status_tells_the_gate_and_the_operations_of_what_is_pending() -> None:
    """Who, since when, why, and what will run next, with its operations."""
    behind = snapshot(BEHIND, Look(at=2.0, outcome=Outcome.BEHIND))
    document = status_document(behind, SHOP.nodes)
    assert document["since"] == "2023-11-14T22:13:22.000Z"
    assert (document["ready"], document["reason"]) == (False, "schema_behind")
    assert document["opened_at"] is None
    assert document["targets"][0]["operations"] == dict.fromkeys(
        ("shop.0002", "shop.0003"), ("AddField x",)
    )
    opened = snapshot(CURRENT, Look(at=2.0, outcome=Outcome.CURRENT))
    assert status_document(opened, {})["opened_at"] == "2023-11-14T22:13:22.000Z"
    assert status_document(snapshot(DOWN), {})["targets"][0]["operations"] == {}


def test_a_run_of_migrate_is_told_with_what_blocks_it() -> None:
    """Since when, who waits, and which session to end; what the role may not see is left out."""
    blockers = (Blocker(pid=7, application="psql", state="idle in transaction", since=60.0),
                Blocker(pid=8))  # fmt: skip
    run = Run(since=1.0, waiting=2, blocked_since=61.0, blockers=blockers)
    blocked = seen("shop.0001", run=run)
    assert target_line(blocked).endswith(
        "migrate running since 00:00:01Z, 2 waiting, blocked since 00:01:01Z by "
        "pid 7 (psql, idle in transaction since 00:01:00Z) and pid 8"
    )
    assert "pg_terminate_backend" in next_step(Reason.SCHEMA_BEHIND, [blocked])
    running = seen("shop.0001", run=Run())
    assert target_line(running).endswith("migrate its last statements end")
    assert next_step(Reason.SCHEMA_BEHIND, [running]) == NEXT[Reason.MIGRATE_RUNNING]
    assert next_step(Reason.DATABASE_DENIED, [running]) == NEXT[Reason.DATABASE_DENIED]
    document = status_document(snapshot(blocked), SHOP.nodes)["targets"][0]["migrate"]
    assert document["waiting"] == 2
    assert document["blockers"][1] == {"pid": 8, "application": "", "state": None, "since": None}


def test_what_was_applied_is_told_with_its_durations() -> None:
    """The newest last, no more than fifty, and the batch that they were part of."""
    timeline = tuple(Applied(Key(f"shop.{n:04}"), float(n), n / 8 or None) for n in range(60))
    target = seen(timeline=timeline, seen=60, batch=Batch(began=1.0, ended=59.0, count=60))
    document = status_document(snapshot(target), SHOP.nodes)["targets"][0]
    assert len(document["timeline"]) == 50
    assert document["timeline"][-1] == {
        "migration": "shop.0059",
        "applied": "1970-01-01T00:00:59.000Z",
        "seconds": 7.375,
    }
    assert document["batch"]["migrations"] == 60
    first = seen(timeline=timeline[:1])
    document = status_document(snapshot(first), SHOP.nodes)["targets"][0]
    assert (document["timeline"][0]["seconds"], document["batch"]) == (None, None)


def test_the_status_tells_the_risks_of_what_is_pending() -> None:
    """What breaks, cannot be undone, changes data or can stay half done is named, in few words."""
    facts = {"reversible": False, "touches_data": True, "atomic": False}
    shop = manifest(node("shop.0001"), node("shop.0002", "shop.0001", breaks=["drops x"], **facts))
    behind = snapshot(seen(of=shop), Look(at=2.0, outcome=Outcome.BEHIND))
    assert status_document(behind, shop.nodes)["targets"][0]["risks"] == {
        "shop.0002": (
            "drops x",
            "cannot be rolled back",
            "changes data, for as long as that takes",
            "not atomic: half of it can stay",
        )
    }


@pytest.mark.parametrize(
    ("target", "looks", "status", "output"),
    [
        (CURRENT, [Look(at=1.0, outcome=Outcome.CURRENT)], "pass", ""),
        (BEHIND, [Look(at=1.0, outcome=Outcome.BEHIND)], "fail", "schema_behind"),
        (
            DOWN,
            [Look(at=1.0, outcome=Outcome.CURRENT), Look(at=2.0, failure=Reason.DATABASE_TIMEOUT)],
            "warn",
            "database_timeout",
        ),
    ],
)
def test_health_json_passes_warns_and_fails(
    target: Target, looks: list[Look], status: str, output: str
) -> None:
    """Open passes, holding warns and stays 200, shut fails."""
    document = health_document(snapshot(target, *looks))
    assert (document["status"], document["output"]) == (status, output)
    assert document["checks"]["default:schema"][0]["output"] == target_line(target)


def test_of_several_targets_each_has_its_own_status() -> None:
    """Whoever reads health+json sees which of them it is."""
    other = msgspec.structs.replace(DOWN, database="other")
    spared = msgspec.structs.replace(DOWN, database="spared", required=False)
    looks = [Look(at=1.0, outcome=Outcome.CURRENT)]
    down = Look(at=2.0, failure=Reason.DATABASE_UNREACHABLE)

    def statuses(*events: Look) -> list[str]:
        seen = snapshot(CURRENT, *events)
        several = msgspec.structs.replace(seen, targets=(CURRENT, AHEAD, other, spared))
        checks = health_document(several)["checks"]
        return [each["status"] for found in checks.values() for each in found]

    assert statuses(*looks, down) == ["pass", "pass", "warn", "warn"]
    assert statuses(down) == ["pass", "pass", "fail", "warn"]
    assert statuses(Look(at=1.0, outcome=Outcome.AHEAD), Drain(2.0)) == [*["fail"] * 3, "warn"]


def test_each_database_that_is_behind_has_its_command() -> None:
    """Django migrates one database at a time."""
    other = msgspec.structs.replace(BEHIND, database="other")
    spared = msgspec.structs.replace(BEHIND, database="spared", required=False)
    default, more = "python manage.py migrate", "python manage.py migrate --database=other"
    for targets, commands in (
        ((BEHIND,), default),
        ((CURRENT, other, spared), more),
        ((BEHIND, other), f"{default} && {more}"),
    ):
        told = next_step(Reason.SCHEMA_BEHIND, targets)
        assert told == f"apply the migrations: {commands}"


@pytest.mark.parametrize(
    ("targets", "look"),
    [
        ((CURRENT, Target(database="x")), None),
        (
            (CURRENT, Target(database="x", required=False)),
            Look(at=9.0, outcome=Outcome.CURRENT),
        ),
        ((Target(database="x", required=False),), None),
        ((CURRENT, CURRENT), Look(at=9.0, outcome=Outcome.CURRENT)),
        ((CURRENT, AHEAD), Look(at=9.0, outcome=Outcome.AHEAD)),
        ((AHEAD, DOWN), Look(at=9.0, failure=Reason.DATABASE_UNREACHABLE, outage=True)),
        ((DOWN, BEHIND, AHEAD), Look(at=9.0, outcome=Outcome.BEHIND, outage=True)),
        ((BEHIND, BROKEN, DOWN), Look(at=9.0, outcome=Outcome.INCONSISTENT, outage=True)),
    ],
)
def test_the_worst_target_speaks_for_all(targets: tuple[Target, ...], look: Look | None) -> None:
    """Inconsistent, behind, unknown, ahead, current; nothing before what is needed was seen."""
    assert overall(targets, 9.0) == look
