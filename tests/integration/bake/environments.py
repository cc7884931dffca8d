"""Virtual environments with one Django each, and nothing of ours: where people bake.

They are kept under `.bake/`, by version and by the hash of what is pinned for it.
"""

import fcntl
import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from support.needs import missing
from support.project import REPOSITORY, environment

PINNED = REPOSITORY / "requirements" / "bake"
KEPT = REPOSITORY / ".bake"


@dataclass(frozen=True, slots=True)
class Pair:
    """A Python and a Django that people run together."""

    python: str
    django: str

    def __str__(self) -> str:
        """Return it as a test's name says it."""
        return f"python{self.python}-django{self.django}"

    def interpreter(self) -> Path:
        """Return a Python with this Django, made on first use; skip where there is no Python."""
        pins = PINNED / f"django-{self.django}.txt"
        digest = hashlib.sha256(pins.read_bytes()).hexdigest()[:12]
        folder = KEPT / f"{self}-{digest}"
        KEPT.mkdir(exist_ok=True)
        with (KEPT / f"{self}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / "complete").exists():
                make(folder, base(self.python), pins)
        return folder / "bin" / "python"


PAIRS = (Pair("3.9", "4.2"), Pair("3.10", "5.2"), Pair("3.12", "6.0"), Pair("3.13", "6.1"))


def base(version: str) -> Path:
    """Return an interpreter of this version that really runs: a pyenv shim may not."""
    found = next((path for path in candidates(version) if version_of(path) == version), None)
    return found or missing(f"Python {version} (for example: pyenv install {version})")


def version_of(interpreter: Path) -> str:
    ask = "import sys; print('%d.%d' % sys.version_info[:2])"
    ended = subprocess.run([interpreter, "-c", ask], check=False, env=environment(),
                           capture_output=True, text=True)  # fmt: skip
    return ended.stdout.strip()


def candidates(version: str) -> Iterator[Path]:
    on_path = shutil.which(f"python{version}", path=environment().get("PATH"))
    if on_path:
        yield Path(on_path)
    versions = Path.home() / ".pyenv" / "versions"
    yield from sorted(versions.glob(f"{version}.*/bin/python{version}"), reverse=True)


def make(folder: Path, python: Path, pins: Path) -> None:
    """Make the environment from pinned, hashed wheels."""
    run(python, "-m", "venv", "--clear", folder)
    run(folder / "bin" / "python", "-m", "pip", "install", "--quiet",
        "--disable-pip-version-check", "--require-hashes", "-r", pins)  # fmt: skip
    (folder / "complete").touch()


def run(*command: str | Path) -> None:
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    assert ended.returncode == 0, f"{command}: {ended.stdout}{ended.stderr}"
