"""What a scrape tells of a snapshot, and that every metric is described."""

from typing import Any

import pytest

from sidecar.core.gate.machine import begin, step
from sidecar.core.gate.snapshot import Identity, Snapshot, Target
from sidecar.core.gate.state import Look, Policy
from sidecar.core.migrations.compare import Outcome, compare
from sidecar.core.migrations.manifest import Key
from sidecar.core.migrations.recorded import Run
from sidecar.core.migrations.timeline import Applied, Batch
from sidecar.core.reason import Reason
from sidecar.outputs.metrics.definitions import MEASURES, Kind
from sidecar.outputs.metrics.samples import samples
from support.manifests import chain, keys, manifest

SHOP = manifest(*chain("shop", "0001", "0002"), *chain("blog", "0001"))
ALL = ("shop.0001", "shop.0002", "blog.0001")
COUNTED = {"gate_transitions", "check_duration_seconds", "checks", "migration_duration_seconds"}


def seen(*rows: str, schema: str = "public", **facts: Any) -> Target:
    verdict = compare(SHOP, keys(*rows))
    return Target(database="default", schema=schema, verdict=verdict, looked_at=50.0, **facts)


def told(*targets: Target, opened: bool = False) -> dict[tuple[str, ...], float]:
    gate = begin(5.0)
    if opened:
        gate = step(gate, Look(at=8.0, outcome=Outcome.CURRENT), Policy())
    snapshot = Snapshot(
        gate=gate,
        targets=targets,
        identity=Identity("1.0", "sha256:0", "5.2"),
        epoch=1000.0,
        started_at=5.0,
    )
    found = [((name, *labels), value) for name, labels, value in samples(snapshot)]
    assert len(found) == len(dict(found)), "no series is told twice"
    return dict(found)


def test_every_sample_is_described_and_every_gauge_is_told() -> None:
    """No value without a meaning, no meaning without a value, and all labels have names."""
    applied = Applied(Key("shop.0001"), 40.0, 1.0)
    rich = seen(
        *ALL,
        succeeded_at=50.0,
        progress_at=40.0,
        last_applied=40.0,
        timeline=(applied,),
        batch=Batch(began=39.0, ended=40.0, count=1),
    )
    found = told(rich, opened=True)
    assert {name for name, *_ in found} == set(MEASURES) - COUNTED - {"info", "build_info"}
    for name, *labels in found:
        assert MEASURES[name].kind is Kind.GAUGE
        assert len(labels) == len(MEASURES[name].labels)


def test_the_gate_is_told_as_it_is() -> None:
    """State and reason are one-hot, and times are seconds since the epoch."""
    shut, opened = told(seen()), told(seen(*ALL), opened=True)
    assert (shut["ready",], opened["ready",]) == (False, True)
    assert [key for key, value in opened.items() if key[0] == "state" and value] == [
        ("state", "open")
    ]
    assert [key for key, value in shut.items() if key[0] == "reason" and value] == [
        ("reason", "starting")
    ]
    assert ("gate_opened_seconds",) not in shut
    assert opened["gate_opened_seconds",] == 3.0
    assert opened["state_changed_timestamp_seconds",] == 1008.0
    assert shut["watch_started_timestamp_seconds", "default"] == 1005.0


def test_many_schemas_come_down_to_counts() -> None:
    """A thousand tenants have as many series as one; what is pending in them is added up."""
    tenants = [seen(*ALL[: n % 3 + 1], schema=f"t{n}") for n in range(999)]
    found = told(*tenants)
    assert set(found) == set(told(seen()))
    assert found["targets", "default", "current"] == 333
    assert found["targets", "default", "behind"] == 666
    assert found["expected_migrations", "default", "shop"] == 1998
    assert found["migrations", "default", "shop", "pending"] == 333
    assert found["migrations", "default", "blog", "pending"] == 666
    assert found["migrations", "default", "blog", "applied"] == 333


def test_one_schema_that_cannot_be_read_makes_the_database_not_up() -> None:
    """Up means all of it; the success that counts is the one longest ago."""
    good = seen(*ALL, succeeded_at=50.0)
    bad = seen(*ALL, schema="b", failure=Reason.DATABASE_TIMEOUT, succeeded_at=20.0)
    never = Target(database="default", schema="c")
    assert told(good)["up", "default"]
    found = told(good, bad)
    assert not found["up", "default"]
    assert found["targets", "default", "unknown"] == 1
    assert found["last_success_timestamp_seconds", "default"] == 20.0
    assert ("last_success_timestamp_seconds", "default") not in told(good, never)


def test_databases_are_told_apart() -> None:
    """Each alias has series of its own."""
    found = told(seen(*ALL), Target(database="archive"))
    assert (found["up", "default"], found["up", "archive"]) == (True, False)
    assert ("expected_migrations", "archive", "shop") not in found


@pytest.mark.parametrize(
    ("run", "failure", "values"),
    [
        (None, None, (False, 0, 0.0)),
        (Run(since=10.0, waiting=2), None, (True, 2, 0.0)),
        (Run(since=10.0, blocked_since=20.0), None, (True, 0, 30.0)),
        (Run(since=10.0, blocked_since=60.0), None, (True, 0, 0.0)),
        (Run(since=10.0, blocked_since=20.0), Reason.DATABASE_TIMEOUT, (False, 0, 0.0)),
    ],
)
def test_a_run_of_migrate_is_told(
    run: Run | None, failure: Reason | None, values: tuple[float, ...]
) -> None:
    """Whether one is under way, who waits, and how long it has been blocked; never a guess."""
    found = told(seen(run=run, failure=failure))
    names = ("migrate_in_progress", "migrate_waiting", "migrate_blocked_seconds")
    assert tuple(found[name, "default"] for name in names) == values


def test_the_latest_batch_is_told() -> None:
    """From its beginning to the last migration so far, over all schemas."""
    older, newer = (
        seen(
            schema=schema,
            timeline=(Applied(Key("shop.0001"), at),),
            batch=Batch(began=at - took, count=count),
        )
        for schema, at, took, count in (("a", 30.0, 9.0, 7), ("b", 40.0, 4.0, 2))
    )
    found = told(older, newer)
    assert found["last_batch_duration_seconds", "default"] == 4.0
    assert found["last_batch_migrations", "default"] == 2
