"""As the first process of a container it ends on every signal that ends other processes."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from support import needs
from support.database import Database
from support.process import PATIENCE, remember, until
from support.project import environment, sidecar

NAMESPACE = ("unshare", "--pid", "--fork", "--kill-child")

BEGUN = {"serve": "gate starting", "wait": "wait: ", "migrate": "migrating: "}
"""What is printed once a command waits for something."""


@pytest.mark.namespaces
@pytest.mark.parametrize("verb", BEGUN)
@pytest.mark.parametrize(
    "number",
    [signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGALRM, signal.SIGRTMIN],
)
def test_process_one_ends_on_a_signal(
    database: Database, manifest: Path, verb: str, number: signal.Signals
) -> None:
    """It exits as a shell reports a process that the signal ended."""
    needs.declare("namespaces")
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        needs.missing("namespaces")
    output = manifest.with_name("output")
    more = {"serve": ["--listen=127.0.0.1:0"], "wait": [], "migrate": ["--", "sleep", "3600"]}
    with output.open("w") as file:
        outer = subprocess.Popen(
            [*NAMESPACE, sidecar(), verb, f"--manifest={manifest}", *more[verb]],
            env=environment(DATABASE_URL=database.migrator),
            stdout=file,
            stderr=file,
        )
    remember(outer)
    until(lambda: BEGUN[verb] in output.read_text() or outer.poll() is not None, "it waits")
    (first,) = Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().split()
    os.kill(int(first), number)
    assert outer.wait(20 * PATIENCE) == 128 + number, output.read_text()
