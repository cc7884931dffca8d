"""One Django for all of these tests."""

from collections.abc import Iterator

import pytest

from equivalence.agreement import World, open_world
from support.postgres import Server


@pytest.fixture(scope="session")
def world(server: Server) -> Iterator[World]:
    """Return a world to ask; Django can be set up only once in a process."""
    with open_world(server) as opened:
        yield opened
