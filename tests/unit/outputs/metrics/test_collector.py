"""The gauges of a snapshot, and that every metric is described."""

from typing import Any

import pytest
from msgspec.structs import replace

from factories import snapshot, status
from sidecar.core.gate.database_status import DatabaseStatus, SchemaGroup
from sidecar.core.gate.state import PollResult
from sidecar.core.migrations.compare import Outcome
from sidecar.core.migrations.manifest import Key
from sidecar.core.migrations.recorded import MigrateRun
from sidecar.core.migrations.timeline import Applied, Batch, Timeline
from sidecar.core.reason import Reason
from sidecar.outputs.metrics.collector import SnapshotCollector, gauges
from sidecar.outputs.metrics.definitions import DEFINITIONS, Kind
from support.manifests import chain, manifest, node

SHOP = manifest(*chain("shop", "0001", "0002"), *chain("blog", "0001"))
ALL = ("shop.0001", "shop.0002", "blog.0001")
COUNTED = {
    "gate_transitions",
    "read_duration_seconds",
    "reads",
    "migration_duration_seconds",
    "output_errors",
}
UNREAD = DatabaseStatus(database="archive", groups=(SchemaGroup(),))


def shop(*rows: str, **facts: Any) -> DatabaseStatus:
    return status(*rows, **{"of": SHOP, "schema": "public", "read_at": 50.0, **facts})


def together(*databases: DatabaseStatus) -> DatabaseStatus:
    """Return one database with the groups of these."""
    groups = tuple(group for each in databases for group in each.groups)
    return replace(databases[0], groups=groups)


def collect(*databases: DatabaseStatus, opened: bool = False) -> dict[tuple[str, ...], float]:
    """Return the gauges by name and labels."""
    events = [PollResult(at=3.0, outcome=Outcome.CURRENT)] if opened else []
    found = [
        ((name, *labels), value) for name, labels, value in gauges(snapshot(databases, *events))
    ]
    assert len(found) == len(dict(found)), "a series stands twice"
    return dict(found)


def test_every_sample_is_described_and_every_gauge_has_one() -> None:
    """No value without a definition, no definition without a value, and all labels have names."""
    applied = Applied(Key("shop.0001"), 40.0, 1.0)
    rich = shop(
        *ALL,
        succeeded_at=50.0,
        progress_at=40.0,
        last_applied=40.0,
        timeline=Timeline(
            applied=(applied,), observed=1, batch=Batch(began=39.0, ended=40.0, count=1)
        ),
    )
    found = collect(rich, opened=True)
    assert {name for name, *_ in found} == set(DEFINITIONS) - COUNTED - {"info", "build_info"}
    for name, *labels in found:
        assert DEFINITIONS[name].kind is Kind.GAUGE
        assert len(labels) == len(DEFINITIONS[name].labels)


def test_the_gate_is_shown_as_it_is() -> None:
    """Phase and reason are one-hot, and times are seconds since the epoch."""
    closed, opened = collect(shop()), collect(shop(*ALL), opened=True)
    assert (closed["ready",], opened["ready",]) == (False, True)
    assert [key for key, value in opened.items() if key[0] == "phase" and value] == [
        ("phase", "open")
    ]
    assert [key for key, value in closed.items() if key[0] == "reason" and value] == [
        ("reason", "starting")
    ]
    assert ("time_to_first_open_seconds",) not in closed
    assert opened["time_to_first_open_seconds",] == 3.0
    assert opened["phase_changed_timestamp_seconds",] == 1_700_000_003.0
    assert closed["watch_started_timestamp_seconds", "default"] == 1_700_000_000.0


def test_many_schemas_come_down_to_counts() -> None:
    """A thousand tenants have as many series as one; what is pending in them is added up."""
    tenants = [shop(*ALL[: n % 3 + 1], schema=f"t{n}") for n in range(999)]
    found = collect(together(*tenants))
    assert set(found) == set(collect(shop()))
    assert found["targets", "default", "current"] == 333
    assert found["targets", "default", "behind"] == 666
    assert found["expected_migrations", "default", "shop"] == 1998
    assert found["migrations", "default", "shop", "pending"] == 333
    assert found["migrations", "default", "blog", "pending"] == 666
    assert found["migrations", "default", "blog", "applied"] == 333


def test_one_schema_that_cannot_be_read_makes_the_database_not_up() -> None:
    """Up means all of it; the success that counts is the one longest ago."""
    good = shop(*ALL, succeeded_at=50.0)
    bad = shop(*ALL, schema="b", failure=Reason.DATABASE_TIMEOUT, succeeded_at=20.0)
    never = replace(good, groups=(SchemaGroup(schema="c"),))
    assert collect(good)["up", "default"]
    found = collect(together(good, bad))
    assert not found["up", "default"]
    assert found["targets", "default", "unknown"] == 1
    assert found["last_success_timestamp_seconds", "default"] == 20.0
    assert ("last_success_timestamp_seconds", "default") not in collect(together(good, never))


def test_databases_have_series_of_their_own() -> None:
    """Each by its alias."""
    found = collect(shop(*ALL), UNREAD)
    assert (found["up", "default"], found["up", "archive"]) == (True, False)
    assert ("expected_migrations", "archive", "shop") not in found


@pytest.mark.parametrize(
    ("run", "failure", "values"),
    [
        (None, None, (False, 0, 0.0)),
        (MigrateRun(since=10.0, waiting=2), None, (True, 2, 0.0)),
        (MigrateRun(since=10.0, blocked_since=20.0), None, (True, 0, 30.0)),
        (MigrateRun(since=10.0, blocked_since=60.0), None, (True, 0, 0.0)),
        (MigrateRun(since=10.0, blocked_since=20.0), Reason.DATABASE_TIMEOUT, (False, 0, 0.0)),
    ],
)
def test_a_run_of_migrate_is_collect(
    run: MigrateRun | None, failure: Reason | None, values: tuple[float, ...]
) -> None:
    """Whether one is under way, who waits, and how long it has been blocked; never a guess."""
    database = shop(run=run)
    (group,) = database.groups
    found = collect(replace(database, groups=(replace(group, failure=failure),)))
    names = ("migrate_in_progress", "migrate_waiting", "migrate_blocked_seconds")
    assert tuple(found[name, "default"] for name in names) == values


def test_lost_migrations_are_counted_by_app() -> None:
    """Also of an app of which nothing is expected any more."""
    squashed = manifest(node("shop.s", replaces=["shop.0001", "shop.0002"]), node("cart.0001"))
    found = collect(status("shop.0001", of=squashed))
    assert found["migrations", "default", "shop", "lost"] == 1


def test_every_metric_has_a_family_before_the_first_snapshot() -> None:
    """Help and type are there at once; the values come with what is known."""
    collector = SnapshotCollector("1.0")
    gauges_ = {name for name, each in DEFINITIONS.items() if each.kind is Kind.GAUGE}
    names = {family.name.removeprefix("django_schema_") for family in collector.collect()}
    assert names == gauges_ | {"django_schema"}
