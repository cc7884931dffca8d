"""Audit pinned dependencies for known vulnerabilities; a look-up without an answer is no audit.

    python tools/audit.py PIP_AUDIT REQUIREMENTS...

pip-audit exits with 0 even if a look-up failed. Exit code 0: every dependency was checked, and
none is known to be vulnerable; 1: some is; 75: some could not be checked.
"""

import json
import subprocess
import sys
from typing import Any

VULNERABLE = 1
NOT_AUDITED = 75
"""EX_TEMPFAIL of sysexits.h: try again where the service can be reached."""


def audit(program: str, requirements: str) -> tuple[list[dict[str, Any]], str]:
    """Return what pip-audit found for each dependency, and why it failed if it did."""
    done = subprocess.run(  # noqa: S603 - the program is ours
        [
            *(program, "--requirement", requirements, "--require-hashes", "--disable-pip"),
            *("--format=json", "--progress-spinner=off"),
        ],
        check=False,
        capture_output=True,
        text=True,
    )
    try:
        listed: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except ValueError:
        return [], (done.stderr.strip().splitlines() or ["no reason given"])[-1]
    return listed, ""


def main(arguments: list[str]) -> int:
    """Audit each file; return the exit code."""
    program, *files = arguments
    code = 0
    for file in files:
        listed, failed = audit(program, file)
        unknown = [each["name"] for each in listed if "skip_reason" in each]
        known = [each for each in listed if "skip_reason" not in each]
        for each in known:
            for vulnerability in each["vulns"]:
                fixed = ", ".join(vulnerability["fix_versions"]) or "no version yet"
                print(
                    f"{file}: {each['name']} {each['version']}: {vulnerability['id']}, "
                    f"fixed in {fixed}"
                )
                code = VULNERABLE
        if failed or unknown or not known:
            why = failed or f"no answer for {len(unknown)} of {len(listed)} dependencies"
            print(f"{file}: NOT AUDITED: {why}")
            code = code or NOT_AUDITED
        else:
            print(f"{file}: {len(known)} dependencies checked")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
