"""The shipped alert rules, and promtool."""

import json
import subprocess
from pathlib import Path
from typing import Any, Final

import yaml

from monitoring.cases import COMMON, STORIES, Story
from support import needs
from support.project import REPOSITORY

FOLDER: Final = REPOSITORY / "k8s" / "components" / "monitoring"
ALERTS: Final = FOLDER / "alerts.yaml"


def rules() -> list[dict[str, Any]]:
    """Return every rule."""
    groups = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def promtool(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run promtool; the test is skipped where it is not installed."""
    needs.program("prometheus", "promtool")
    return subprocess.run(["promtool", *arguments], check=False, capture_output=True, text=True)


def verify(alert: str, folder: Path) -> str:
    """Play each story of an alert with `promtool test rules`; return what went wrong."""
    (rule,) = (rule for rule in rules() if rule["alert"] == alert)
    # Annotations are for people; promtool would want each repeated, word by word.
    bare = {key: part for key, part in rule.items() if key != "annotations"}
    (folder / "rules.json").write_text(json.dumps({"groups": [{"name": "g", "rules": [bare]}]}))
    tests = [_test(rule, story) for story in STORIES[alert]]
    document = {"rule_files": ["rules.json"], "evaluation_interval": "30s", "tests": tests}
    file = folder / "tests.json"
    file.write_text(json.dumps(document))
    ended = promtool("test", "rules", file)
    return "" if ended.returncode == 0 else ended.stdout + ended.stderr


def _test(rule: dict[str, Any], story: Story) -> dict[str, Any]:
    known = {**COMMON, "database": "default", "output": "state_file"}
    labels = {**rule["labels"], **{label: known[label] for label in story.labels}}
    return {
        "interval": "1m",
        "input_series": [{"series": s, "values": v} for s, v in story.scraped.items()],
        "alert_rule_test": [
            {
                "eval_time": f"{story.minute}m",
                "alertname": rule["alert"],
                "exp_alerts": [{"exp_labels": labels}] if story.fires else [],
            }
        ],
    }
