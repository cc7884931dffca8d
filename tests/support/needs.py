"""What a test needs from the machine, and how loudly it says that it is not there."""

import os
from typing import NoReturn

import pytest


def missing(what: str) -> NoReturn:
    """Skip with one line that names what to install; fail where everything must be there."""
    line = f"NOT TESTED: install {what}"
    if os.environ.get("REQUIRE_ALL") == "1":
        pytest.fail(line, pytrace=False)
    pytest.skip(line)
