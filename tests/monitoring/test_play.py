"""Dashboard and alerts before a real Prometheus that has scraped a real deploy."""

from collections.abc import Iterator

import pytest

from monitoring.panels import answers, choices, panels
from monitoring.play import Play
from monitoring.prometheus import Series
from monitoring.rules import rules
from monitoring.stage import SLOW, Stage

pytestmark = [pytest.mark.prometheus, pytest.mark.pushgateway]

MUST_SHOW = {
    "Pods ready, and pods": {0, 3},
    "Migrations pending": {0, 2, 3},
    "Releases": {1, 2},
    "Gate of each pod": {2, 3, 4, 5},  # waiting, open, holding, closed
    "Schema of each database, as each release sees it": {1, 2, 3, 4, 5},
    "Pending by app": {3},
    "Applied, of what each release needs": {1},
    "Migrations in the last batch": {1, 3},
    "Migrate runs": {0, 1},
    "The last migrate run": {0, 1},
    "Who is behind, or finds what cannot be": {1},
    "Database, as seen from each gate": {1, 2},
    "Rows that a release does not need": {0, 3},
}
"""Values that a panel must have shown; every other one must have shown more than nothing."""


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Play]:
    """A deploy, played in haste: without waiting for the alerts."""
    stage = Stage(tmp_path_factory.mktemp("monitoring"))
    stage.bake()
    with stage:
        play = Play(stage, patient=False)
        play.act()
        yield play


@pytest.fixture(scope="module")
def shown(played: Play) -> dict[str, Series]:
    """What each panel would have shown."""
    return answers(played.stage.prometheus, played.began, played.ended)


@pytest.mark.parametrize("title", [title for title, _ in panels()])
def test_a_panel_shows_what_happened(shown: dict[str, Series], title: str) -> None:
    """Each panel's queries find data, with the values of what was played."""
    values = {value for _, points in shown[title] for value in points}
    assert max(values, default=0) > 0
    assert MUST_SHOW.get(title, set()) <= values


def test_no_panel_counts_a_migration_once_for_each_pod(shown: dict[str, Series]) -> None:
    """Two pods that see three pending migrations are three."""
    for title in ("Migrations pending", "Pending by app", "Migrations in the last batch"):
        assert max(value for _, points in shown[title] for value in points) == 3


def test_the_slow_migrations_duration_is_right_within_a_fifth(played: Play) -> None:
    """Status and metric show how long the example's slow migration has slept."""
    assert played.slow == pytest.approx(SLOW, rel=0.2)
    bucket = "max by (le) (max_over_time(django_schema_migration_duration_seconds_bucket[5m]))"
    within = {labels["le"]: count for labels, (count,) in played.stage.prometheus.now(bucket)}
    assert within["5.0"] - within["1.0"] >= 1


def test_every_alert_can_be_evaluated(played: Play) -> None:
    """Prometheus has no complaint about any rule; one that waits for nothing has fired."""
    health = played.stage.prometheus.health()
    assert health == {rule["alert"]: "ok" for rule in rules()}
    fired = played.stage.prometheus.now('count_over_time(ALERTS{alertstate="firing"}[5m])')
    names = {labels["alertname"] for labels, _ in fired}
    assert "DjangoSchemaMigrateFailed" in names


def test_the_variables_offer_what_was_there(played: Play) -> None:
    """Job, namespace and release can be chosen."""
    assert choices(played.stage.prometheus) == {
        "job": ["shop"],
        "namespace": ["prod"],
        "release": ["1.0", "2.0"],
    }
