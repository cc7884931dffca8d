"""Measure what a sidecar costs beside its peers, and print a table: `make bench`."""

import argparse
import os
import platform
import re
import sys
import tempfile
import time
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path

if __name__ == "__main__":  # as a script, this folder hides the packages beside it
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from bench import table
from bench.stage import Stage

DOCS = Path(__file__).parents[2] / "docs" / "performance.md"
TABLE = re.compile("(<!-- table -->\n).*(<!-- end -->\n)", re.DOTALL)

ROWS = (
    *("probe", "stall", "scrape", "memory", "start", "healthcheck"),
    *("gate", "read", "check", "idle", "growth", "fleet"),
)


def machine() -> str:
    """Return what was measured on, without its name."""
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = os.getloadavg()[0]
    return (
        f"{len(models)} cores, {models[0] if models else platform.machine()}, {memory:.0f} GiB, "
        f"Linux {platform.release().partition('-')[0]}, Python {platform.python_version()}, "
        f"load {load:.1f} at the start"
    )


def main() -> int:
    """Measure; return 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", default=[*ROWS], metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here, too")
    parser.add_argument("--write", action="store_true", help="write the table into the docs, too")
    options = parser.parse_args()
    unknown = [name for name in options.rows if name not in ROWS]
    if unknown:
        parser.error(f"no such row: {', '.join(unknown)}; there are {', '.join(ROWS)}")
    where, lines, broken = machine(), [], []
    began = time.monotonic()
    for name in options.rows:
        print(f"{name} …", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
            row = import_module(f"bench.rows.{name}")
            try:
                lines += row.run(Stage(Path(folder), stack, options.rounds))
            except Exception as error:  # noqa: BLE001 - the other rows are worth having
                broken.append(name)
                print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
    conditions = f"{where}; {time.monotonic() - began:.0f} s, medians of {options.rounds} rounds."
    section = f"{conditions}\n\n{table.markdown(lines)}\n"
    print(section)
    if options.write:
        DOCS.write_text(TABLE.sub(lambda found: found[1] + section + found[2], DOCS.read_text()))
    if options.json:
        options.json.write_text(table.document(lines, where))
    missed = [line for line in lines if line.met is False]
    print(f"{len(missed)} of {sum(line.met is not None for line in lines)} targets missed")
    if broken:
        print(f"rows that could not be measured: {', '.join(broken)}")
    return int(bool(missed or broken))


if __name__ == "__main__":
    sys.exit(main())
