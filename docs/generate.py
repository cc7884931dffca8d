"""Write what the code already holds into the pages and files that repeat it: `make docs`.

With --check nothing is written; exit code 1 if a page is out of date.
"""

import re
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from textwrap import indent

from dashboard import render_dashboard

from sidecar.commands import COMMANDS, STAND_ALONE
from sidecar.config.settings import FIELDS, GROUPS, default_text
from sidecar.core.reason import Reason
from sidecar.migrate.push_metrics import build_registry
from sidecar.migrate.report import Report, Result
from sidecar.outputs.metrics.definitions import DEFINITIONS, PREFIX, Definition, Kind

ROOT = Path(__file__).resolve().parents[1]
MONITORING = ROOT / "k8s" / "components" / "monitoring"
SECTION = re.MULTILINE | re.DOTALL


def render_table(head: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    escaped = [[cell.replace("|", "\\|") for cell in cells] for cells in rows]
    lines = [head, ["---"] * len(head), *escaped]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def render_reasons() -> str:
    """Return every reason of the gate, with the first sentence of its section in the runbook."""
    runbook = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    rows = []
    for reason in Reason:
        found = re.search(rf"^### {reason}\n\n- \*\*Means\*\*: (.+?[.])\s", runbook, SECTION)
        if found is None:
            raise SystemExit(f"docs/runbook.md has no section for the reason {reason}")
        rows.append([f"[`{reason}`](runbook.md#{reason})", " ".join(found[1].split())])
    return render_table(["reason", "what it means"], rows)


def replace_openapi_reasons(text: str) -> str:
    """Return the description of the endpoints, with the reasons that there are."""
    listed = "".join(f"        - {reason}\n" for reason in Reason)
    text, count = re.subn(
        r"(    Reason:\n      enum:\n)(?:        - \w+\n)+", lambda m: m[1] + listed, text
    )
    if count != 1:
        raise SystemExit("docs/openapi.yaml has no list of reasons")
    return text


def render_settings() -> str:
    """Return every setting with allowed values and default, a table for each group."""
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
        sections.append(f"### {title}\n\nFor {commands}.\n\n{render_table(head, rows)}")
    return "\n\n".join(sections)


def name_as_scraped(name: str, definition: Definition) -> str:
    """Return a metric's name as it is scraped."""
    suffix = {Kind.COUNTER: "_total", Kind.INFO: "info"}.get(definition.kind, "")
    return PREFIX + (suffix if name == suffix else name + suffix)


def render_metrics() -> str:
    """Return every metric with type, labels, help and an example query."""
    rows = [
        [
            f"`{name_as_scraped(name, definition)}`",
            definition.kind,
            ", ".join(f"`{label}`" for label in definition.labels),
            definition.help,
            f"`{definition.query}`",
        ]
        for name, definition in DEFINITIONS.items()
    ]
    return render_table(["name", "type", "labels", "what it is", "example query"], rows)


def render_run_metrics() -> str:
    """Return every metric that a migrate run pushes."""
    empty = Report(result=Result.APPLIED, attempts=1, exit_code=0, began=0.0, ended=0.0, waited=0.0)
    rows = [
        [f"`{family.name}`", family.type, "`database`", family.documentation]
        for family in build_registry(empty, "default").collect()
    ]
    return render_table(["name", "type", "labels", "what it is"], rows)


def render_prometheus_rule() -> str:
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


def render_compose_rules() -> str:
    """Return the alert rules beside compose's Prometheus, which sees no other folder."""
    rules = (MONITORING / "alerts.yaml").read_text(encoding="utf-8")
    head = "# Made from k8s/components/monitoring/alerts.yaml by `make docs`.\n"
    return head + rules[rules.index("groups:") :]


def replace_sections(text: str, wanted: dict[str, Callable[[], str]]) -> str:
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
    ROOT / "docs" / "gate.md": partial(replace_sections, wanted={"reasons": render_reasons}),
    ROOT / "docs" / "settings.md": partial(replace_sections, wanted={"settings": render_settings}),
    ROOT / "docs" / "openapi.yaml": replace_openapi_reasons,
    ROOT / "docs" / "metrics.md": partial(
        replace_sections, wanted={"metrics": render_metrics, "runs": render_run_metrics}
    ),
    MONITORING / "prometheus-rule.yaml": lambda _: render_prometheus_rule(),
    ROOT / "compose" / "prometheus" / "alerts.yaml": lambda _: render_compose_rules(),
    MONITORING / "dashboard.json": lambda _: render_dashboard(
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
