"""The README says what the code says."""

import subprocess
import sys

from support.project import REPOSITORY, environment


def test_generated_parts_of_the_readme_are_up_to_date() -> None:
    """Rules, settings and exit codes are written from the code, and cannot drift."""
    ended = subprocess.run(
        [sys.executable, REPOSITORY / "docs" / "generate.py", "--check"],
        check=False, env=environment(), capture_output=True, text=True,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, "")
