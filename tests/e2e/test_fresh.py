"""A truly fresh machine: Debian's python3, python3-venv, make and git, and nothing else."""

import os
import re
import subprocess
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from e2e.docker import Container, Image
from e2e.standins import FOLDER, PREFIX, build, proxies
from support.project import REPOSITORY

pytestmark = pytest.mark.docker

ABSENT = ("gcc", "cc", "cargo", "psql", "kubectl", "promtool", "curl", "pip", "pip3", "uv")
COUNTER = re.compile(r"(\d+)/(\d+) \S+")
SUMMARY = re.compile(r"^=+ (\d+ passed, \d+ skipped) in ", re.MULTILINE)
CLONE = "/mnt/sidecar.bundle"


@pytest.fixture
def fresh(python: list[str]) -> Image:
    """Build the machine, on the official Debian or on the stand-in."""
    assert isinstance(python, list), "an engine runs"
    base = os.environ.get("DEBIAN_IMAGE")
    given = [f"--build-arg=DEBIAN_IMAGE={base}"] if base else []
    build(f"{PREFIX}/fresh", FOLDER, f"--file={FOLDER / 'fresh.Dockerfile'}", *given)
    return Image(f"{PREFIX}/fresh")


def git(*arguments: str | Path, given: str = "") -> str:
    """Run git in this repository, whoever owns it and whatever its user has configured."""
    who = {"GIT_AUTHOR_NAME": "e2e", "GIT_AUTHOR_EMAIL": "e2e@localhost"}
    who |= {name.replace("AUTHOR", "COMMITTER"): value for name, value in who.items()}
    done = subprocess.run(
        ["git", "-c", "safe.directory=*", *arguments],
        check=False,
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, **who},
        input=given,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def make_bundle(folder: Path) -> Path:
    """Return a file to clone from: what git tracks here, as it is being edited, in one commit.

    A bundle may be cloned by whoever can read it; of a folder git asks that one owns it.
    """
    ours = (f"--git-dir={folder / 'git'}", f"--work-tree={REPOSITORY}")
    git("init", "--quiet", "--bare", "--initial-branch=main", folder / "git")
    git(*ours, "update-index", "--add", "--remove", "-z", "--stdin", given=git("ls-files", "-z"))
    git(*ours, "commit", "--quiet", "--message=What is tracked")
    git(*ours, "bundle", "create", "--quiet", folder / "sidecar.bundle", "HEAD", "main")
    return folder / "sidecar.bundle"


def run_on_terminal(machine: Container, *command: str) -> list[tuple[float, str]]:
    """Run a command on a terminal; return each piece of what it printed, and after how long."""
    began, pieces = time.monotonic(), []
    with subprocess.Popen(
        ["docker", "exec", "--tty", machine.id, *command], stdout=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        while piece := os.read(running.stdout.fileno(), 65536):
            pieces.append((time.monotonic() - began, piece.decode(errors="replace")))
    assert running.returncode == 0, "".join(piece for _, piece in pieces)[-4000:]
    return pieces


# Twice a download of hundreds of megabytes, and every unit test.
@pytest.mark.timeout(3000)
def test_fresh_machine(fresh: Image, tmp_path: Path, report: Callable[[str], None]) -> None:
    """README's two commands work on a fresh clone, as an ordinary user with an empty pip cache.

    An ordinary user, since that is who clones: root may write everywhere, and hides what needs it.
    """
    flags: tuple[str, ...] = ("--init", f"--volume={make_bundle(tmp_path)}:{CLONE}:ro")
    flags += tuple(f"--env={name}" for name in proxies())
    with fresh.start(*flags, command=("sleep", "infinity")) as machine:
        assert machine.run("bash", "-c", f"type -P {' '.join(ABSENT)}", check=False) == ""
        machine.run("git", "clone", "--quiet", CLONE, "sidecar")

        pieces = run_on_terminal(machine, "make", "--directory=sidecar", "demo", "ARGS=--once")
        story = "".join(piece for _, piece in pieces)
        report_demo(machine, pieces, report)
        assert "6. What a person sees: sidecar check" in story
        assert re.search(
            r"gate open \d+ ms after the last migration, without a notice beforehand", story
        )

        began = time.monotonic()
        output = machine.run("make", "--directory=sidecar", "unit")
        summary = SUMMARY.search(output)
        assert summary is not None, output
        skipped = [line for line in output.splitlines() if line.startswith("SKIPPED")]
        assert all("NOT TESTED: install" in line for line in skipped), skipped
        report(f"make unit in {time.monotonic() - began:.0f} s: {summary[1]}")
        assert machine.run("git", "-C", "sidecar", "status", "--short") == ""


def report_demo(
    machine: Container, pieces: list[tuple[float, str]], report: Callable[[str], None]
) -> None:
    """Check that the demo is small and never silent for long; report its time and size."""
    moments = [at for at, piece in pieces if COUNTER.search(piece)]
    assert len(set(moments)) > 5, "packages are counted while they are installed, not at the end"
    assert any("unpacking" in piece for _, piece in pieces)
    silence = max(after - at for (at, _), (after, _) in pairwise(pieces))
    size = int(machine.run("du", "--summarize", "--block-size=1", "sidecar/.demo").split()[0]) / 1e6
    assert size < 200
    report(f"make demo in {pieces[-1][0]:.0f} s, {size:.0f} MB; silent for {silence:.1f} s at most")
