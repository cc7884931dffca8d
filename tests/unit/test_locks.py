"""Locks are installed as they are, whatever newer versions an index offers meanwhile.

A lock that pip resolves anew breaks by itself: a package that another asks for with an extra
(`coverage[toml]`) is then taken in its newest version, which the lock has no hash for.
"""

import hashlib
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import venv
from support.project import REPOSITORY, environment

LOCKED = {"plugin": "1.0", "measured": "1.0", "parser": "1.0"}
NEWER = {"plugin": "1.1", "measured": "2.0", "parser": "3.0"}
REQUIRES = {"plugin": ["measured[toml]>=1", "parser"], "measured": ["parser; extra == 'toml'"]}
COMMAND = re.compile(r"\bpip\b[^\n;&|]*\binstall\b([^\n;&|#]*)")
PLACES = ("Makefile", "*Dockerfile", "*.md", "*.yml", "*.yaml", "*.sh")


def wheel(folder: Path, name: str, version: str) -> Path:
    """Write a wheel that holds nothing but its metadata."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    needs = "".join(f"Requires-Dist: {each}\n" for each in REQUIRES.get(name, ()))
    extra = "Provides-Extra: toml\n" if name == "measured" else ""
    described = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}{extra}",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": "",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in described.items():
            archive.writestr(f"{name}-{version}.dist-info/{file}", text)
    return path


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of files: of each package the locked version, and a newer one."""
    folder = tmp_path_factory.mktemp("index")
    lines = []
    for name, version in LOCKED.items():
        path = wheel(folder, name, version)
        wheel(folder, name, NEWER[name])
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        lines.append(f"{name}=={version} --hash=sha256:{digest}\n")
    (folder / "lock.txt").write_text("".join(lines))
    return folder


@pytest.fixture(scope="module")
def oldest_pip() -> Path:
    """A Python whose pip is the oldest that a supported Python brings."""
    lock = REPOSITORY / "requirements" / "oldest-pip.txt"
    return venv.make(REPOSITORY / ".bake" / "oldest-pip", lock)


def commands() -> Iterator[tuple[str, list[str]]]:
    """Yield where a lock is installed, and with which options."""
    yield "tests/support/venv.py", list(venv.INSTALL)
    listed = subprocess.run(
        ["git", "ls-files", *PLACES], check=True, cwd=REPOSITORY, capture_output=True, text=True
    ).stdout
    for name in listed.splitlines():
        text = (REPOSITORY / name).read_text().replace("\\\n", " ")
        for found in COMMAND.finditer(text):
            words = found[1].split()
            if "-r" in words or "--requirement" in words:
                yield name, [word for word in words if word.startswith("--")]


FOUND = [*commands()]


@pytest.mark.parametrize("options", [each[1] for each in FOUND], ids=[each[0] for each in FOUND])
def test_a_newer_version_on_the_index_changes_nothing(
    index: Path, oldest_pip: Path, tmp_path: Path, options: list[str]
) -> None:
    """Every place that installs a lock gets what it pins, from the oldest pip as well."""
    ended = subprocess.run(
        [
            *(str(oldest_pip), "-m", "pip", "install", "--no-index", f"--find-links={index}"),
            *("--target", str(tmp_path), *options, "-r", str(index / "lock.txt")),
        ],
        check=False,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    installed = {path.name.removesuffix(".dist-info") for path in tmp_path.glob("*.dist-info")}
    assert installed == {f"{name}-{version}" for name, version in LOCKED.items()}
    assert "--require-hashes" in options


def test_a_lock_that_pip_resolves_breaks(index: Path, oldest_pip: Path, tmp_path: Path) -> None:
    """Without --no-deps an old pip cannot install the same lock: the index above is one that bites.

    The pip that Python 3.13 and later bring can.
    """
    ended = subprocess.run(
        [
            *(str(oldest_pip), "-m", "pip", "install", "--no-index", f"--find-links={index}"),
            *("--target", tmp_path, "--require-hashes", "-r", index / "lock.txt"),
        ],
        check=False,
        env=environment(),
        capture_output=True,
        text=True,
    )
    if sys.version_info >= (3, 13):
        assert ended.returncode == 0, ended.stderr
    else:
        assert ended.returncode != 0
        assert "pinned with ==" in ended.stderr


def test_every_place_is_known() -> None:
    """Images, the pipeline to copy, and every environment that the Makefile and the tests make."""
    names = [name for name, _ in FOUND]
    assert sorted(set(names)) == [
        *("Dockerfile", "compose/app/Dockerfile", "docs/ci.md", "tests/support/venv.py"),
    ]
    for path in [*REPOSITORY.glob("tests/**/*.py"), *REPOSITORY.glob("tools/*.py")]:
        installs = re.search(r'"pip", "install"', path.read_text())
        assert not installs or path.name in {"venv.py", "test_locks.py"}, path
