"""One Django for all of these tests."""

from collections.abc import Iterator

import pytest

from equivalence.agreement import World, world
from support.postgres import Server


@pytest.fixture(scope="session")
def asked(server: Server) -> Iterator[World]:
    """Return a world to ask; Django can be set up only once in a process."""
    with world(server) as found:
        yield found
