"""Run the suite in a folder of Debian unstable: Python, servers and browser at their newest.

    make newest [ARGS="tests/unit -k squash"]

As root on Debian. The folder is kept for a day. Exit code 75: it could not be made today.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from versions import debian

REPOSITORY: Final = Path(__file__).resolve().parents[2]
ROOT: Final = REPOSITORY / ".newest" / "debian"
TREE: Final = "src"
KEPT: Final = (".venv", ".stamps", ".wheel")
"""What make has made in the folder's tree; it knows itself when to make it anew."""

SUITE: Final = ("unit", "equivalence", "real", "integration", "monitoring", "race")
# The folder has one Python and no Docker engine.
MARKERS: Final = "not pythons and not docker"
VERSIONS: Final = """
python3 --version; .venv/bin/python -m django --version | sed 's/^/Django /'
for program in pgbouncer prometheus mariadbd chromium unshare; do
    $program --version 2>&1 | head -1
done
ls -d /usr/lib/postgresql/*
"""


def main(arguments: list[str]) -> int:
    """Make the folder if need be, and run the tests there; return pytest's exit code."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    ROOT.parent.mkdir(exist_ok=True)
    with (ROOT.parent / "lock").open("w") as mutex:
        # A second run would take the tree away from under the first.
        fcntl.flock(mutex, fcntl.LOCK_EX)
        return _run(arguments)


def _run(arguments: list[str]) -> int:
    began = time.monotonic()
    try:
        debian.make(ROOT)
    except debian.UnavailableError as error:
        print(f"NOT TESTED ON THE NEWEST: no folder of Debian unstable: {error}", flush=True)
        return os.EX_TEMPFAIL
    print(f"newest: a folder of Debian unstable after {time.monotonic() - began:.0f} s", flush=True)
    _copy_tree(ROOT / TREE)
    paths = [] if any(word.startswith("tests/") for word in arguments) else _paths()
    pytest = [".venv/bin/pytest", "-m", MARKERS, *paths, *arguments]
    steps = f"cd /{TREE}; git init -q; git add -A; make wheel; {VERSIONS}"
    return debian.run(ROOT, "sh", "-ec", f'{steps} exec "$@"', "sh", *pytest)


def _paths() -> list[str]:
    return [f"tests/{name}" for name in SUITE]


def _copy_tree(target: Path) -> None:
    """Copy what git knows or would take, as it is being edited."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True,
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    target.mkdir(exist_ok=True)
    for old in target.iterdir():
        if old.name not in KEPT:
            shutil.rmtree(old) if old.is_dir() else old.unlink()
    for name in filter(None, listed.split("\0")):
        if (REPOSITORY / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, target / name, follow_symlinks=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
