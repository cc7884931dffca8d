"""The audit names what is known to be vulnerable, and takes no silence for an answer."""

import subprocess
import sys
from pathlib import Path

import pytest

from support.project import REPOSITORY

FOUND = '{"name": "a", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": ["2"]}]}'
CLEAN = '{"name": "a", "version": "1", "vulns": []}'
SKIPPED = '{"name": "b", "skip_reason": "not found"}'


@pytest.mark.parametrize(
    ("answer", "code", "line"),
    [
        (f'{{"dependencies": [{CLEAN}]}}', 0, "run.txt: 1 dependencies checked"),
        (f'{{"dependencies": [{FOUND}]}}', 1, "run.txt: a 1: CVE-1, fixed in 2"),
        (f'{{"dependencies": [{CLEAN}, {SKIPPED}]}}', 75, "no answer for 1 of 2 dependencies"),
        (f'{{"dependencies": [{FOUND}, {SKIPPED}]}}', 1, "NOT AUDITED"),
        ('{"dependencies": []}', 75, "NOT AUDITED"),
        ("", 75, "NOT AUDITED: no reason given"),
    ],
)
def test_only_an_answer_counts_as_an_audit(
    tmp_path: Path, answer: str, code: int, line: str
) -> None:
    """A dependency that was skipped, or a service that failed, makes it no audit."""
    auditor = tmp_path / "pip-audit"
    auditor.write_text(f"#!/bin/sh\necho '{answer}'\n")
    auditor.chmod(0o755)
    done = subprocess.run(
        [sys.executable, REPOSITORY / "tools" / "audit.py", auditor, "run.txt"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, line in done.stdout) == (code, True), done.stdout + done.stderr
