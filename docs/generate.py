"""Write what the code already says into the pages and files that repeat it: `make docs`.

With --check it only tells whether they are up to date.
"""

import inspect
import re
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from textwrap import indent

from dashboard import dashboard

from sidecar.commands import COMMANDS, STAND_ALONE
from sidecar.config.settings import FIELDS, GROUPS, default_text
from sidecar.core.gate import machine as gate
from sidecar.core.gate.state import Phase, Signal
from sidecar.migrate.push_metrics import registry
from sidecar.migrate.report import Report, Result
from sidecar.outputs.metrics.definitions import MEASURES, PREFIX, Kind, Measure

ROOT = Path(__file__).resolve().parents[1]
MONITORING = ROOT / "k8s" / "components" / "monitoring"


def first_line(thing: object) -> str:
    """Return the first line of a docstring."""
    return (inspect.getdoc(thing) or "").partition("\n")[0]


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    escaped = [[cell.replace("|", "\\|") for cell in cells] for cells in rows]
    lines = [head, ["---"] * len(head), *escaped]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def rules() -> str:
    """Return the gate's rules in the words of gate.py, and its table."""
    words = (inspect.getdoc(gate) or "").split("The rules, in words:\n\n")[1]
    words = words.partition("\n\n`TABLE`")[0]
    rows = [
        [f"**{phase}**", *(gate.TABLE[phase, signal].__name__ for signal in Signal)]
        for phase in Phase
    ]
    used = {rule.__name__: rule for rule in gate.TABLE.values()}
    legend = "\n".join(f"- `{name}`: {first_line(rule)}" for name, rule in used.items())
    return f"{words}\n\n{table(['', *Signal], rows)}\n\n{legend}"


def settings() -> str:
    """Return every setting with allowed values, default and commands, a table for each group."""
    users = {
        name: import_module(f"sidecar.commands.{name}").SETTINGS
        for name in COMMANDS
        if name not in STAND_ALONE
    }
    sections = []
    for group, title in GROUPS.items():
        commands = ", ".join(f"`{name}`" for name, groups in users.items() if group in groups)
        rows = []
        for name, item in FIELDS.items():
            if item.metadata["group"] == group:
                kind, default = item.metadata["kind"], default_text(item)
                values = f"`{kind.metavar}`" + (f" {kind.hint}" if kind.hint else "")
                file = ", or `_FILE`" if kind.from_file else ""
                cells = (f"`{name}`", values + file, f"`{default}`" if default else "")
                rows.append([*cells, item.metadata["help"]])
        head = ["setting", "value", "default", "what it is"]
        sections.append(f"### {title}\n\nFor {commands}.\n\n{table(head, rows)}")
    return "\n\n".join(sections)


def exposed(name: str, measure: Measure) -> str:
    """Return a metric's name as it is scraped."""
    suffix = {Kind.COUNTER: "_total", Kind.INFO: "info"}.get(measure.kind, "")
    return PREFIX + (suffix if name == suffix else name + suffix)


def metrics() -> str:
    """Return every metric with type, labels, meaning and a question that it answers."""
    rows = [
        [
            f"`{exposed(name, measure)}`",
            measure.kind,
            ", ".join(f"`{label}`" for label in measure.labels),
            measure.meaning,
            f"`{measure.query}`",
        ]
        for name, measure in MEASURES.items()
    ]
    return table(["name", "type", "labels", "meaning", "ask"], rows)


def runs() -> str:
    """Return every metric that a run of migrate tells."""
    empty = Report(result=Result.APPLIED, attempts=1, exit_code=0, began=0.0, ended=0.0, waited=0.0)
    rows = [
        [f"`{family.name}`", family.type, "`database`", family.documentation]
        for family in registry(empty, "default").collect()
    ]
    return table(["name", "type", "labels", "meaning"], rows)


def prometheus_rule() -> str:
    """Return the alert rules as the Prometheus operator wants them."""
    rules = (MONITORING / "alerts.yaml").read_text(encoding="utf-8")
    return (
        "# Made from alerts.yaml by `make docs`.\n"
        "apiVersion: monitoring.coreos.com/v1\n"
        "kind: PrometheusRule\n"
        "metadata:\n"
        "  name: migration-sidecar\n"
        "  labels:\n"
        "    app.kubernetes.io/name: migration-sidecar\n"
        "spec:\n" + indent(rules[rules.index("groups:") :], "  ")
    )


def compose_rules() -> str:
    """Return the alert rules beside compose's Prometheus, which sees no other folder."""
    rules = (MONITORING / "alerts.yaml").read_text(encoding="utf-8")
    head = "# Made from k8s/components/monitoring/alerts.yaml by `make docs`.\n"
    return head + rules[rules.index("groups:") :]


def sections(text: str, wanted: dict[str, Callable[[], str]]) -> str:
    """Return the page with every generated section written anew."""
    for name, section in wanted.items():
        pattern = rf"(<!-- generated: {name} -->\n).*?(<!-- end -->)"
        text, count = re.subn(
            pattern, lambda m, s=section: f"{m[1]}{s()}\n{m[2]}", text, flags=re.DOTALL
        )
        if count != 1:
            raise SystemExit(f"{count} sections named {name!r}, expected one")
    return text


PAGES: dict[Path, Callable[[str], str]] = {
    ROOT / "README.md": partial(sections, wanted={"gate": rules}),
    ROOT / "docs" / "settings.md": partial(sections, wanted={"settings": settings}),
    ROOT / "docs" / "metrics.md": partial(sections, wanted={"metrics": metrics, "runs": runs}),
    MONITORING / "prometheus-rule.yaml": lambda _: prometheus_rule(),
    ROOT / "compose" / "prometheus" / "alerts.yaml": lambda _: compose_rules(),
    MONITORING / "dashboard.json": lambda _: dashboard(
        (MONITORING / "dashboard.yaml").read_text(encoding="utf-8")
    ),
}
"""Each file with what makes its new text of its old one."""


def main(arguments: list[str]) -> int:
    """Write the files, or check them."""
    stale = []
    for file, render in PAGES.items():
        before = file.read_text(encoding="utf-8") if file.exists() else ""
        after = render(before)
        if before != after and "--check" in arguments:
            stale.append(str(file.relative_to(ROOT)))
        elif before != after:
            file.write_text(after, encoding="utf-8")
    if stale:
        print(f"out of date: {', '.join(stale)}; run make docs", file=sys.stderr)
    return int(bool(stale))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
