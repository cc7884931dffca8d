"""Play the fault matrix and print it: matrix.py [-j JOBS] [-k WORDS]; exits with 1 on a failure.

Each line: fault, phase of the gate, reason seen, detected after, recovered after, and what
/readyz answered throughout.
"""

import argparse
import sys
import tempfile
import traceback
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

if __name__ == "__main__":  # as a script, this folder hides the packages beside it
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from integration.faults.cells import CELLS, Outcome, play
from integration.faults.stage import State, World
from support import project
from support.database import add_database
from support.postgres import Server

LINE: Final = "{:<34} {:<8} {:<22} {:>9} {:>10}  {}"
HEAD: Final = ("fault", "state", "reason", "detected", "recovered", "readiness throughout")


def main() -> int:
    """Play the cells that the arguments choose; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-j", "--jobs", type=int, default=6, help="cells at once (default: 6)")
    parser.add_argument("-k", "--only", default="", help="faults whose name has these words")
    options = parser.parse_args()
    cells = [(fault, state) for fault, state in CELLS if options.only in fault.name]
    failures, skipped = [], 0
    print(LINE.format(*HEAD))
    with (
        tempfile.TemporaryDirectory(prefix="sidecar-faults-") as folder,
        Server() as server,
        World(server, _template(server), _manifest(Path(folder))) as world,
        ThreadPoolExecutor(options.jobs) as pool,
    ):
        played = [(cell, pool.submit(play, *cell, world)) for cell in cells]
        for (fault, state), future in played:
            line, error = _line(fault.name, state, future)
            print(line, flush=True)
            if isinstance(error, pytest.skip.Exception):
                skipped += 1
            elif error is not None:
                failures.append((fault, state, error))
    for fault, state, error in failures:
        print(f"\nFAILED: {fault}, {state}", *traceback.format_exception(error), sep="\n")
    good = len(cells) - len(failures) - skipped
    print(f"\n{good} of {len(cells)} cells as they should be, {skipped} not tested")
    return 1 if failures else 0


def _line(fault: str, state: State, future: "Future[Outcome]") -> tuple[str, BaseException | None]:
    try:
        found = future.result()
    except pytest.skip.Exception as skipped:
        return f"{fault:<34} {state:<8} {skipped}", skipped
    except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001 - shown at the end
        return f"{fault:<34} {state:<8} FAILED: {error}".splitlines()[0][:160], error
    times = (f"{found.detected:.2f} s", f"{found.recovered:.2f} s")
    return LINE.format(fault, state, found.reason, *times, found.readiness), None


def _template(server: Server) -> str:
    add_database(server, "template_shop").migrate()
    return "template_shop"


def _manifest(folder: Path) -> Path:
    path = folder / "manifest.json"
    project.bake(path, "--release=1.0").check_returncode()
    return path


if __name__ == "__main__":
    sys.exit(main())
