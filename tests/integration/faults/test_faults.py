"""The fault matrix: what a sidecar does when its surroundings fail, in each state of its gate."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from integration.faults.cells import CELLS, Cell, Outcome, play
from integration.faults.stage import World
from support.postgres import Server

pytestmark = [pytest.mark.faketime, pytest.mark.namespaces]

JOBS = 6
"""Cells at once: they wait most of the time."""

Played = dict[Cell, "Future[Outcome]"]


@pytest.fixture(scope="session")
def played(
    request: pytest.FixtureRequest, server: Server, migrated_template: str, baked: Path
) -> Iterator[Played]:
    """Every cell that was chosen, in play."""
    chosen: list[Any] = [
        item.callspec.params["cell"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.originalname == test_cell.__name__
    ]
    with World(server, migrated_template, baked) as world, ThreadPoolExecutor(JOBS) as pool:
        yield {cell: pool.submit(play, cell[0], cell[1], world) for cell in chosen}
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{cell[0]}, {cell[1]}")
def test_cell(cell: Cell, played: Played) -> None:
    """Reason, readiness, metrics and log are as they must be, it recovers, and nothing leaks."""
    played[cell].result()
