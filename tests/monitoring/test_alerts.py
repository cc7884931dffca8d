"""The alert rules fire when they must, stay silent otherwise, and describe what to do."""

from pathlib import Path

import pytest

from monitoring.cases import STORIES
from monitoring.rules import ALERTS, promtool, rules, verify

pytestmark = pytest.mark.prometheus


def test_the_rules_are_what_promtool_expects() -> None:
    """Every expression and every template parses."""
    ended = promtool("check", "rules", ALERTS)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_every_alert_has_stories_of_both_kinds() -> None:
    """No alert ships without a case in which it fires and one in which it does not."""
    assert {rule["alert"] for rule in rules()} == set(STORIES)
    for alert, stories in STORIES.items():
        assert {story.fires for story in stories} == {True, False}, alert


@pytest.mark.parametrize("alert", STORIES)
def test_an_alert_fires_when_it_must_and_not_otherwise(alert: str, tmp_path: Path) -> None:
    """Promtool plays what Prometheus would have scraped, minute by minute."""
    assert verify(alert, tmp_path) == ""


def test_every_alert_describes_what_to_do() -> None:
    """An alert has a severity, a summary with its place, advice, and its link to the runbook."""
    for rule in rules():
        assert rule["labels"]["severity"] in {"warning", "critical"}
        notes = rule["annotations"]
        assert "{{ $labels." in notes["summary"]
        assert len(notes["description"]) > 80
        assert notes["runbook_url"] == f"docs/runbook.md#{rule['alert'].lower()}"
