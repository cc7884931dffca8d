"""Race many replicas through each scenario and print a row a scenario: `make race`."""

import argparse
import sys
import tempfile
from pathlib import Path

if __name__ == "__main__":  # as a script, this folder hides the packages next to it
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from race.scenarios import SCENARIOS, Row, play

ROW_FORMAT = "{:<20} {:>8} {:>6} {:>10} {:>7} {:>6} {:>11} {:>7}"
COLUMNS = ("scenario", "replicas", "ready", "applied by", "waited", "early", "duplicates", "time")


def meets_promises(row: Row) -> bool:
    """Return whether a race went as promised."""
    alone = row.applied_by == 1 or row.scenario in {"database restarted", "plain migrate"}
    # Plain migrate knows no lock, and records twice what it applies beside another.
    duplicates = row.duplicates if row.scenario != "plain migrate" else 0
    return row.ready == row.replicas and alone and not row.early and not duplicates


def main() -> int:
    """Run the races; return 1 when a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicas", type=int, default=20)
    parser.add_argument("scenarios", nargs="*", default=[*SCENARIOS])
    options = parser.parse_args()
    print(ROW_FORMAT.format(*COLUMNS))
    broken = False
    with tempfile.TemporaryDirectory(prefix="sidecar-race-") as folder:
        for name in options.scenarios:
            place = Path(folder) / name
            place.mkdir()
            row = play(name, place, options.replicas)
            broken |= not meets_promises(row)
            facts = (row.replicas, row.ready, row.applied_by, row.waited, row.early, row.duplicates)
            mark = "" if meets_promises(row) else "  BROKEN"
            print(
                ROW_FORMAT.format(row.scenario, *facts, f"{row.seconds:.1f} s") + mark, flush=True
            )
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
