"""Play a deploy before a real Prometheus; show dashboard and alerts: `make monitoring`.

A minute of the alert rules takes half a second here. Ends with 1 when a panel stays empty, an
alert does not fire when it must, or one fires while all is well.
"""

import sys
import tempfile
import time
from pathlib import Path

from monitoring.cases import STORIES
from monitoring.panels import answers, choices
from monitoring.play import Play
from monitoring.rules import ALERTS, promtool, rules, verify
from monitoring.stage import Stage


def main() -> int:
    """Play everything; return the exit code."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sidecar-monitoring-") as name:
        folder = Path(name)
        stage = Stage(folder)
        print("Prometheus, PostgreSQL, and the example project in two releases", flush=True)
        stage.bake()
        with stage:
            play = Play(stage, patient=True, report=lambda line: print(f"  {line}", flush=True))
            play.act()
            empty = show_panels(stage, play)
            wrong = show_alerts(play, folder)
            offered = choices(stage.prometheus)
    shown = "; ".join(f"{name}: {', '.join(values)}" for name, values in offered.items())
    print(f"\nvariables of the dashboard: {shown}")
    print(f"slow migration: reported as {play.slow:.2f} s")
    print(f"{empty} panels without data, {wrong} alerts wrong, {time.monotonic() - began:.0f} s")
    return int(bool(empty or wrong))


def show_panels(stage: Stage, play: Play) -> int:
    """Print a row for each panel; return how many showed nothing."""
    found = answers(stage.prometheus, play.began, play.ended)
    print(f"\n{'panel':50} {'series':>6} {'points':>6}  from … to")
    for title, series in found.items():
        values = [value for _, points in series for value in points]
        span = f"{min(values):g} … {max(values):g}" if values else "NO DATA"
        print(f"{title:50} {len(series):6} {len(values):6}  {span}")
    return sum(not series for series in found.values())


def show_alerts(play: Play, folder: Path) -> int:
    """Print a row for each alert; return how many are wrong."""
    checked = promtool("check", "rules", ALERTS)
    print(f"\npromtool check rules: {'ok' if checked.returncode == 0 else checked.stderr}")
    health = play.stage.prometheus.health()
    print(f"{'alert':32} {'evaluated':9} {'stories':12} {'fired after':12} at peace")
    wrong = int(checked.returncode != 0)
    for alert in (rule["alert"] for rule in rules()):
        fires = sum(story.fires for story in STORIES[alert])
        problem = verify(alert, folder)
        stories = f"{fires} + {len(STORIES[alert]) - fires} ok" if not problem else "WRONG"
        after = f"{play.fired[alert]:.1f} s" if alert in play.fired else "NEVER"
        peace = "FIRED" if alert in play.at_peace else "silent"
        wrong += bool(problem) or after == "NEVER" or peace == "FIRED" or health[alert] != "ok"
        print(f"{alert:32} {health[alert]:9} {stories:12} {after:12} {peace}")
    return wrong


if __name__ == "__main__":
    sys.exit(main())
