"""Nothing in a unit test may depend on the machine's settings."""

import os

import pytest


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("SIDECAR_", "PG", "DATABASE_URL", "DJANGO_")):
            monkeypatch.delenv(name)
