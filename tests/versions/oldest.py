"""Run the suite with the lowest versions that pyproject.toml allows, on the lowest Python there is.

    make oldest [ARGS="tests/unit -k squash"]

The environment is kept in .oldest/. What pyproject.toml allows stands in requirements/oldest.txt.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from support import venv

REPOSITORY: Final = Path(__file__).resolve().parents[2]
ENVIRONMENT: Final = REPOSITORY / ".oldest" / "venv"
LOCK: Final = REPOSITORY / "requirements" / "oldest.txt"
LOWEST: Final = (3, 11)

SUITE: Final = ("unit", "equivalence", "real", "integration", "monitoring", "race")
PRINT_VERSION: Final = "import ensurepip, sys; print(*sys.version_info[:3])"


def main(arguments: list[str]) -> int:
    """Make the environment if need be, and run the tests in it; return pytest's exit code."""
    version, interpreter = find_lowest()
    number = ".".join(map(str, version))
    print(f"oldest: Python {number} ({interpreter})", flush=True)
    python = venv.make(ENVIRONMENT, LOCK, interpreter)
    install = ("install", "--quiet", "--no-deps", "--no-build-isolation", "--editable", ".")
    for command in (install, ("check",), ("list", "--format=freeze")):
        pip = [python, "-m", "pip", "--disable-pip-version-check", *command]
        subprocess.run(pip, check=True, cwd=REPOSITORY)
    own = any(word.startswith("tests/") for word in arguments)
    paths = [] if own else [f"tests/{name}" for name in SUITE]
    pytest = [str(python), "-m", "pytest", *paths, *arguments]
    return subprocess.run(pytest, check=False, cwd=REPOSITORY).returncode


def find_lowest() -> tuple[tuple[int, ...], Path]:
    """Return the lowest patch release of the lowest Python that is allowed, and its path."""
    name = "python{}.{}".format(*LOWEST)
    folders = [*os.get_exec_path(), "/usr/bin", "/usr/local/bin"]
    folders += map(str, (Path.home() / ".pyenv" / "versions").glob("*/bin"))
    found = {}
    for path in filter(None, (shutil.which(name, path=folder) for folder in folders)):
        # A shim of pyenv's may be there and yet have no such version to run.
        ended = subprocess.run(
            [path, "-c", PRINT_VERSION], check=False, capture_output=True, text=True
        )
        if ended.returncode == 0:
            found[tuple(map(int, ended.stdout.split()))] = Path(path)
    if not found:
        raise SystemExit(f"oldest: {name} is not installed (Debian package {name}-venv)")
    return min(found.items())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
