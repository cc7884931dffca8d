"""Write the parts of README.md that the code already says: `make docs`.

With --check it only tells whether they are up to date.
"""

import inspect
import re
import sys
from collections.abc import Callable
from pathlib import Path

from sidecar.core import gate
from sidecar.core.states import Phase, Signal
from sidecar.settings import FIELDS, shown

README = Path(__file__).resolve().parents[1] / "README.md"
GROUPS = {
    "manifest": "serve, check, wait, migrate",
    "database": "serve, check, wait, migrate",
    "verdict": "serve, check, wait, migrate",
    "gate": "serve, wait",
    "serve": "serve",
    "log": "serve, wait, migrate",
    "migrate": "migrate",
    "wait": "wait",
}


def first_line(thing: object) -> str:
    """Return the first line of a docstring."""
    return (inspect.getdoc(thing) or "").partition("\n")[0]


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
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
    """Return every setting with its variable, default and commands."""
    rows = [
        [
            f"`{name}`",
            f"`{shown(item)}`" if shown(item) else "",
            item.metadata["help"],
            GROUPS[item.metadata["group"]],
        ]
        for name, item in FIELDS.items()
    ]
    return table(["setting", "default", "what it is", "commands"], rows)


SECTIONS: dict[str, Callable[[], str]] = {
    "gate": rules,
    "settings": settings,
}


def render(text: str) -> str:
    """Return the page with every generated section written anew."""
    for name, section in SECTIONS.items():
        pattern = rf"(<!-- generated: {name} -->\n).*?(<!-- end -->)"
        text, count = re.subn(
            pattern, lambda m, s=section: f"{m[1]}{s()}\n{m[2]}", text, flags=re.DOTALL
        )
        if count != 1:
            raise SystemExit(f"{README.name}: {count} sections named {name!r}, expected one")
    return text


def main(arguments: list[str]) -> int:
    """Write README.md, or check it."""
    before = README.read_text(encoding="utf-8")
    after = render(before)
    if "--check" in arguments:
        if before != after:
            print("README.md is out of date; run make docs", file=sys.stderr)
        return int(before != after)
    README.write_text(after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
