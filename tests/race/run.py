"""Race many replicas through each scenario and print a row a scenario: `make race`."""

import argparse
import sys
import tempfile
from pathlib import Path

if __name__ == "__main__":  # as a script, this folder hides the packages beside it
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from race.scenarios import SCENARIOS, Row, play

LINE = "{:<20} {:>8} {:>6} {:>10} {:>7} {:>6} {:>11} {:>7}"
HEAD = ("scenario", "replicas", "ready", "applied by", "waited", "early", "duplicates", "time")


def good(row: Row) -> bool:
    """Tell whether a race went as promised."""
    alone = row.applied_by == 1 or row.scenario in {"database restarted", "plain migrate"}
    # Plain migrate knows no lock, and records twice what it applies beside another.
    duplicates = row.duplicates if row.scenario != "plain migrate" else 0
    return row.ready == row.replicas and alone and not row.early and not duplicates


def main() -> int:
    """Race; return 1 when a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicas", type=int, default=20)
    parser.add_argument("scenarios", nargs="*", default=[*SCENARIOS])
    options = parser.parse_args()
    print(LINE.format(*HEAD))
    broken = False
    with tempfile.TemporaryDirectory(prefix="sidecar-race-") as folder:
        for name in options.scenarios:
            place = Path(folder) / name
            place.mkdir()
            row = play(name, place, options.replicas)
            broken |= not good(row)
            facts = (row.replicas, row.ready, row.applied_by, row.waited, row.early, row.duplicates)
            mark = "" if good(row) else "  BROKEN"
            print(LINE.format(row.scenario, *facts, f"{row.seconds:.1f} s") + mark, flush=True)
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
