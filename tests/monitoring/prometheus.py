"""A real Prometheus (Debian's) that scrapes the addresses it is given, with the shipped alerts."""

import json
import re
import subprocess
import urllib.parse
from pathlib import Path
from typing import Any, Final, Self

import yaml

from monitoring.rules import ALERTS
from support import needs
from support.process import ask, until

SCRAPE: Final = "500ms"
MINUTE: Final = 0.5
"""How many seconds a minute of the alert rules takes here."""

Series = list[tuple[dict[str, str], list[float]]]


def shorten_minutes(rules: str) -> dict[str, Any]:
    """Return the alert rules with every minute made shorter."""
    document: dict[str, Any] = yaml.safe_load(rules)
    document["groups"][0]["interval"] = SCRAPE
    for rule in document["groups"][0]["rules"]:
        rule["expr"] = re.sub(r"\[(\d+)h]", lambda m: f"[{_span(m[1], 60)}]", rule["expr"])
        rule["expr"] = rule["expr"].replace("* 60", f"* {MINUTE}")
        if "for" in rule:
            number, unit = rule["for"][:-1], rule["for"][-1]
            rule["for"] = _span(number, {"m": 1, "h": 60}[unit])
    return document


def _span(number: str, minutes: int) -> str:
    return f"{round(int(number) * minutes * MINUTE * 1000)}ms"


class Prometheus:
    """A server in a folder of its own; `url` is where it answers."""

    def __init__(self, folder: Path) -> None:
        """Write its configuration; nothing runs yet."""
        needs.program("prometheus", "prometheus")
        self._folder = folder
        self.scrape({})
        (folder / "alerts.json").write_text(json.dumps(shorten_minutes(ALERTS.read_text())))
        configuration = {
            "global": {
                "scrape_interval": SCRAPE,
                "scrape_timeout": SCRAPE,
                "evaluation_interval": SCRAPE,
            },
            "rule_files": ["alerts.json"],
            "scrape_configs": [
                {
                    "job_name": "schema",
                    "file_sd_configs": [{"files": ["targets.json"], "refresh_interval": "1s"}],
                }
            ],
        }
        (folder / "prometheus.yml").write_text(json.dumps(configuration))

    def __enter__(self) -> Self:
        """Start it, and wait until it answers."""
        self._log = (self._folder / "log").open("w")
        self._process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={self._folder}/prometheus.yml",
                f"--storage.tsdb.path={self._folder}/data",
                "--web.listen-address=127.0.0.1:0",
            ],
            stdout=self._log,
            stderr=self._log,
        )
        until(lambda: bool(self._address()) or self._process.poll() is not None, "it listens")
        assert self._process.poll() is None, (self._folder / "log").read_text()
        self.url = f"http://{self._address()}"
        until(lambda: ask(f"{self.url}/-/ready")[0] == 200, "Prometheus is ready")
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait()
        self._log.close()

    def _address(self) -> str:
        found = re.search(r'"Listening on".* address=(\S+)', (self._folder / "log").read_text())
        return found[1] if found else ""

    def scrape(self, jobs: dict[str, list[str]]) -> None:
        """Scrape these addresses from now on, by job."""
        targets = [
            {"targets": addresses, "labels": {"job": job, "namespace": "prod"}}
            for job, addresses in jobs.items()
        ]
        draft = self._folder / "targets.new"
        draft.write_text(json.dumps(targets))
        draft.replace(self._folder / "targets.json")

    def now(self, query: str) -> Series:
        """Return the result of a query at this moment."""
        found = self._get("query", query=query)["result"]
        return [(entry["metric"], [float(entry["value"][1])]) for entry in found]

    def between(self, query: str, start: float, end: float, step: float = 0.5) -> Series:
        """Return the results of a query from start to end, one every `step` seconds."""
        found = self._get("query_range", query=query, start=start, end=end, step=step)["result"]
        return [
            (entry["metric"], [float(value) for _, value in entry["values"]]) for entry in found
        ]

    def label_values(self, metric: str, label: str) -> list[str]:
        """Return the values that a label has, as Grafana asks for them."""
        values: list[str] = self._get(f"label/{label}/values", **{"match[]": metric})
        return values

    def firing(self) -> set[str]:
        """Return the alerts that fire now."""
        return {labels["alertname"] for labels, _ in self.now('ALERTS{alertstate="firing"}')}

    def health(self) -> dict[str, str]:
        """Return for each alert whether it could be evaluated."""
        (group,) = self._get("rules")["groups"]
        return {rule["name"]: rule["health"] for rule in group["rules"]}

    def _get(self, path: str, **parameters: Any) -> Any:
        status, body = ask(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}")
        assert status == 200, f"{parameters}: {body}"
        return json.loads(body)["data"]
