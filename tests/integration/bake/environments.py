"""Virtual environments with one Django each, and nothing of ours: where people bake.

They are kept under `.bake/`, by version, and made anew when what is pinned changes.
"""

from dataclasses import dataclass
from pathlib import Path

from support import needs, venv
from support.project import REPOSITORY

PINNED = REPOSITORY / "requirements" / "bake"
KEPT = REPOSITORY / ".bake"


@dataclass(frozen=True, slots=True)
class Pair:
    """A Python and a Django that people run together."""

    python: str
    django: str

    def __str__(self) -> str:
        """Return the pair as it stands in a test's name."""
        return f"python{self.python}-django{self.django}"

    def interpreter(self) -> Path:
        """Return a Python with this Django, made on first use; skip where there is no Python."""
        pins = PINNED / f"django-{self.django}.txt"
        return venv.make(KEPT / str(self), pins, base(self.python))


PAIRS = (Pair("3.9", "4.2"), Pair("3.10", "5.2"), Pair("3.12", "6.0"), Pair("3.13", "6.1"))


def base(version: str) -> Path:
    """Return an interpreter of this version; skip the test where there is none."""
    needs.declare("pythons")
    found = venv.find_interpreter(version)
    return found or needs.missing("pythons", f"Python {version} (pyenv install {version})")
