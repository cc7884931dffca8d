"""Grafana's JSON of the dashboard, from the few facts in dashboard.yaml."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import yaml

HERE: Final = 'job=~"$job", namespace=~"$namespace"'
INFO: Final = f'django_schema_info{{{HERE}, release=~"$release"}}'
SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
COLUMNS: Final = 24
HEIGHT: Final = 8
WITHOUT_TIME: Final = [{"id": "organize", "options": {"excludeByName": {"Time": True}}}]


def render_dashboard(short: str) -> str:
    """Return the JSON that Grafana imports."""
    facts = yaml.safe_load(short)
    panels = list(_make_panels(facts))
    for number, panel in enumerate(panels, 1):
        panel["id"] = number
    whole = {
        "uid": "django-schema",
        "title": "Django schema",
        "tags": ["django", "migrations"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "10s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "",
        "annotations": {"list": []},
        "templating": {"list": _make_variables()},
        "panels": panels,
    }
    return json.dumps(whole, indent=2) + "\n"


def _make_variables() -> list[dict[str, Any]]:
    source = {"name": "datasource", "label": "Source", "type": "datasource", "query": "prometheus"}
    asked = {
        "job": "label_values(django_schema_ready, job)",
        "namespace": 'label_values(django_schema_ready{job=~"$job"}, namespace)',
        "release": f"label_values(django_schema_info{{{HERE}}}, release)",
    }
    chosen = [
        {
            "name": name,
            "label": name.capitalize(),
            "type": "query",
            "datasource": SOURCE,
            "definition": query,
            "query": {"query": query, "refId": name},
            "refresh": 2,
            "sort": 1,
            "multi": True,
            "includeAll": True,
            # Outside Kubernetes there is no namespace, and a release may have no name.
            "allValue": ".*",
            "current": {"text": ["All"], "value": ["$__all"]},
        }
        for name, query in asked.items()
    ]
    return [source, *chosen]


def _make_panels(facts: dict[str, Any]) -> Iterator[dict[str, Any]]:
    top = 0
    for row in facts["rows"]:
        yield {
            "type": "row",
            "title": row["title"],
            "collapsed": False,
            "panels": [],
            "gridPos": {"x": 0, "y": top, "w": COLUMNS, "h": 1},
        }
        top, left = top + 1, 0
        for panel in row["panels"]:
            width = panel.get("width", COLUMNS // 2)
            if left + width > COLUMNS:
                top, left = top + HEIGHT, 0
            place = {"x": left, "y": top, "w": width, "h": HEIGHT}
            yield {**_make_panel(panel, facts["names"]), "gridPos": place}
            left += width
        top += HEIGHT


def _make_panel(panel: dict[str, Any], names: dict[str, Any]) -> dict[str, Any]:
    kind = panel["type"]
    return {
        "type": kind,
        "title": panel["title"],
        "description": panel["about"],
        "datasource": SOURCE,
        "targets": [
            {
                "refId": chr(ord("A") + number),
                "datasource": SOURCE,
                "expr": _expand_query(query, names),
                "legendFormat": legend,
                "format": {"table": "table", "heatmap": "heatmap"}.get(kind, "time_series"),
                "instant": kind == "table",
                "range": kind != "table",
            }
            for number, (legend, query) in enumerate(panel["asks"].items())
        ],
        "fieldConfig": {"defaults": _make_field(panel, names), "overrides": []},
        "options": _make_options(kind),
        "transformations": WITHOUT_TIME if kind == "table" else [],
    }


def _expand_query(query: str, names: dict[str, Any]) -> str:
    """Return a query with the short words replaced."""
    for word, facts in names.items():
        if re.search(rf"\b{word}\b", query):
            query = query.replace(word, _number_values(facts))
    query = query.replace(
        "OF_RELEASE", f"* on (job, namespace, instance) group_left (release) {INFO}"
    )
    return query.replace("HERE", HERE)


def _number_values(facts: dict[str, Any]) -> str:
    """Return an expression whose value is the number, from 1, of the last value that counts."""
    name, _, label = facts["from"].rstrip("}").partition("{")
    parts = (
        f'(django_schema_{name}{{HERE, {label}="{value}"}} > bool 0) * {number}'
        for number, value in enumerate(facts["values"], 1)
    )
    return " or ".join(parts)


def _make_field(panel: dict[str, Any], names: dict[str, Any]) -> dict[str, Any]:
    field: dict[str, Any] = {"unit": panel.get("unit", "short"), "min": 0}
    steps = [{"color": "green", "value": None}]
    if "bad_from" in panel:
        steps.append({"color": "orange", "value": panel["bad_from"]})
    field["thresholds"] = {"mode": "absolute", "steps": steps}
    if "names" in panel:
        options = {
            str(number): {"text": text, "color": colour, "index": number}
            for number, (text, colour) in enumerate(names[panel["names"]]["values"].items(), 1)
        }
        field["mappings"] = [{"type": "value", "options": options}]
    if panel["type"] == "timeseries":
        field["custom"] = {
            "drawStyle": "bars" if panel.get("bars") else "line",
            "fillOpacity": 20 if panel.get("stack") else 0,
            "stacking": {"mode": "normal" if panel.get("stack") else "none", "group": "A"},
        }
    return field


def _make_options(kind: str) -> dict[str, Any]:
    legend = {"displayMode": "list", "placement": "bottom", "showLegend": True}
    match kind:
        case "stat":
            reduce = {"calcs": ["lastNotNull"], "fields": "", "values": False}
            return {"reduceOptions": reduce, "textMode": "value_and_name", "colorMode": "value"}
        case "state-timeline":
            return {"mergeValues": True, "showValue": "auto", "legend": legend}
        case "heatmap":
            return {"calculate": False, "yAxis": {"unit": "s"}}
        case "timeseries":
            return {"tooltip": {"mode": "multi", "sort": "desc"}, "legend": legend}
        case _:
            return {"showHeader": True}
