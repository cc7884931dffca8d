"""Virtual environments made from a lock, exactly: python tests/support/venv.py FOLDER LOCK.

Standard library only: this is what makes every other environment, the Makefile's included.
"""

import fcntl
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

INSTALL = ("--disable-pip-version-check", "--no-deps", "--require-hashes")
"""pip's options for a lock. With `--no-deps` pip takes the lock as it is; without it, pip resolves
a package that is asked for with an extra to the newest one on the index, and fails."""

COMPILE = (
    *("pip", "compile", "--quiet", "--upgrade", "--universal", "--generate-hashes"),
    *("--no-emit-index-url", "--no-annotate", "--no-header"),
)
"""uv's arguments that write a lock."""

Report = Callable[[str], None]
"""Is given each line that pip prints."""


def install(python: str | Path, lock: Path, *options: str, report: Report = lambda _: None) -> None:
    """Install a lock into the environment of `python`, then let pip check that nothing is missing.

    Raises RuntimeError with the last line that pip printed.
    """
    _run(python, "-m", "pip", "install", *INSTALL, *options, "-r", lock, report=report)
    _run(python, "-m", "pip", "check", "--disable-pip-version-check", report=report)


def make(
    folder: Path,
    lock: Path,
    interpreter: str | Path = sys.executable,
    report: Report = lambda _: None,
) -> Path:
    """Return the Python of an environment with this lock, made anew if either has changed.

    Safe to call from several processes at once. Raises RuntimeError if it cannot be made.
    """
    python = folder / "bin" / "python"
    made_of = sha256(lock.read_bytes() + str(interpreter).encode()).hexdigest()
    stamp = folder / "made-of"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as mutex:
        fcntl.flock(mutex, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != made_of:
            _run(interpreter, "-m", "venv", "--clear", folder, report=report)
            install(python, lock, report=report)
            stamp.write_text(made_of)
    return python


def find_interpreter(minor: str) -> Path | None:
    """Return a Python of this minor version that runs: on the PATH, or under ~/.pyenv."""
    on_path = shutil.which(f"python{minor}")
    versions = (Path.home() / ".pyenv" / "versions").glob(f"{minor}.*/bin/python")
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    found: list[str | Path] = [*filter(None, [on_path]), *sorted(versions, reverse=True)]
    for path in found:
        # A shim of pyenv's may be on the PATH and yet have no such version to run.
        ended = subprocess.run([path, "-c", code], check=False, capture_output=True, text=True)
        if ended.stdout.strip() == minor:
            return Path(path)
    return None


def main(folder: Path, lock: Path) -> None:
    """Make an environment for the command line, with a word of progress."""
    packages = sum("==" in line for line in lock.read_text().splitlines())
    print(f"{folder}: installing {packages} packages, once ...", flush=True)
    began, seen = time.monotonic(), 0

    def show(line: str) -> None:
        nonlocal seen
        word, _, rest = line.partition(" ")
        seen += word == "Collecting"
        if word in {"Collecting", "Installing"} and sys.stdout.isatty():
            text = "unpacking" if word == "Installing" else f"{seen}/{packages} {rest.split()[0]}"
            print(f"\r\033[K  {text}", end="", flush=True)

    make(folder, lock, report=show)
    size = sum(path.lstat().st_size for path in folder.rglob("*")) / 1_000_000
    clear = "\r\033[K" if sys.stdout.isatty() else ""
    print(f"{clear}{folder}: {size:.0f} MB in {time.monotonic() - began:.0f} s", flush=True)


def _run(*command: str | Path, report: Report) -> None:
    words = [str(word) for word in command]
    last = "no message"
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            last = line.strip() or last
            report(line.strip())
    if process.returncode:
        raise RuntimeError(f"{' '.join(words[:4])} failed: {last}")


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]))
    except RuntimeError as error:
        sys.exit(f"venv: {error}")
