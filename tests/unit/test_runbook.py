"""The runbook answers whoever comes from a reason or an alert."""

import re

import yaml

from sidecar.core.reason import Reason
from support.project import REPOSITORY

RUNBOOK = (REPOSITORY / "docs" / "runbook.md").read_text(encoding="utf-8")
ALERTS = REPOSITORY / "k8s" / "components" / "monitoring" / "alerts.yaml"


def alerts() -> set[str]:
    groups = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    return {rule["alert"] for group in groups for rule in group["rules"]}


def entries() -> dict[str, str]:
    parts = re.split(r"^### (\w+)\n", RUNBOOK, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_every_reason_and_every_alert_has_its_section() -> None:
    """The runbook has a section for each reason and each alert, and no other."""
    assert set(entries()) == {*Reason, *alerts()}


def test_each_section_has_its_parts_in_order() -> None:
    """A section has what it means, what to check, do and not do, and for an alert its threshold."""
    for name, text in entries().items():
        parts = re.findall(r"^- \*\*([^*]+)\*\*: \S", text, flags=re.MULTILINE)
        threshold = ["Threshold"] if name in alerts() else []
        assert parts == ["Means", *threshold, "Check", "Do", "Do not"], name


def test_no_link_within_the_runbook_is_dead() -> None:
    """Each #anchor in the runbook is one of its headings."""
    targets = set(re.findall(r"\(#([\w-]+)\)", RUNBOOK))
    assert targets <= {name.lower() for name in entries()}


def test_the_panels_that_it_names_are_on_the_dashboard() -> None:
    """A panel that a section refers to has that title in dashboard.yaml."""
    dashboard = yaml.safe_load((ALERTS.parent / "dashboard.yaml").read_text(encoding="utf-8"))
    titles = [panel["title"] for row in dashboard["rows"] for panel in row["panels"]]
    named = re.findall(r"(?<!\*)\*([A-Z][^*]+?)\*(?!\*)", RUNBOOK.partition("## Alerts")[2])
    other = {"Warning", "Critical", "Idle in transaction"}
    for name in {" ".join(name.split()) for name in named} - other:
        assert any(title.startswith(name) for title in titles), name
