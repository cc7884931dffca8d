"""What the panels of the shipped dashboard ask, as Grafana would ask it."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from monitoring.prometheus import Prometheus, Series
from monitoring.rules import FOLDER

DASHBOARD: Final = FOLDER / "dashboard.json"
CHOSEN: Final = {"job": "shop|node", "namespace": ".*", "release": ".*", "__rate_interval": "4s"}


def dashboard() -> dict[str, Any]:
    """Return the dashboard."""
    document: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return document


def panels() -> Iterator[tuple[str, list[str]]]:
    """Yield the title of each panel with what it asks."""
    for panel in dashboard()["panels"]:
        if panel["type"] != "row":
            yield panel["title"], [_fill_in(target["expr"]) for target in panel["targets"]]


def _fill_in(query: str) -> str:
    for name, value in CHOSEN.items():
        query = re.sub(rf"\${name}\b", value, query)
    assert "$" not in query, query
    return query


def answers(prometheus: Prometheus, start: float, end: float) -> dict[str, Series]:
    """Return all that each panel would have shown meanwhile."""
    return {
        title: [series for query in queries for series in prometheus.between(query, start, end)]
        for title, queries in panels()
    }


def choices(prometheus: Prometheus) -> dict[str, list[str]]:
    """Return what each variable of the dashboard offers."""
    found = {}
    for variable in dashboard()["templating"]["list"]:
        if variable["type"] == "query":
            match = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["definition"])
            assert match, variable
            found[variable["name"]] = prometheus.label_values(_fill_in(match[1]), match[2])
    return found
