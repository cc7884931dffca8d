"""compose.development.yaml: the code mounted, and migrations applied at start by each replica."""

from collections.abc import Callable
from pathlib import Path

import pytest

from e2e.compose import Project
from e2e.docker import Image
from e2e.visitor import Visitor
from support.process import until

pytestmark = pytest.mark.docker

NEXT_MIGRATION = Path(__file__).parent / "release-2" / "0013_order_gift_note.py"
COUNT = "SELECT count(*), count(DISTINCT (app, name)) FROM django_migrations"


def test_two_replicas_that_migrate_at_start_do_not_race(
    projects: Callable[..., Project], shop: Image, image: Image, report: Callable[[str], None]
) -> None:
    """One of two replicas applies the migrations, the other waits for it, and both serve."""
    assert shop.name
    assert image.name
    project = projects("development", EXAMPLE_SLOW_SECONDS="2")
    project.run("up", "--detach")
    with Visitor(project.url("proxy", 8000)) as visitor:
        visitor.wait_for(200, within=120)
        until(lambda: all("Listening at" in app.log for app in project.containers("app")), "both")
        logs = [app.log for app in project.containers("app")]
        assert sum("migrating: " in log for log in logs) == 1, logs
        assert sum("Applying orders.0012" in log for log in logs) == 1
        assert count_rows(project) == "50|50"
        until(lambda: project.container("sidecar").health == "healthy", "healthy")
        report("one applied, one waited")

        # A migration written during local development is baked and applied at the next start.
        (project.folder / "app/orders/migrations" / NEXT_MIGRATION.name).write_text(
            NEXT_MIGRATION.read_text()
        )
        project.run("up", "--detach", "--force-recreate", "--no-deps", "manifest")
        until(lambda: not project.container("manifest").state["Running"], "it is baked")
        project.run("up", "--detach", "--force-recreate", "--no-deps", "app", "sidecar")
        until(lambda: count_rows(project) == "51|51", "the new migration is applied", 60)
        until(lambda: project.container("sidecar").health == "healthy", "healthy")
        report("a migration added to the mounted code is applied at the next start")


def count_rows(project: Project) -> str:
    """Return how many rows there are, and how many different ones."""
    psql = ("psql", "--username=postgres", "--dbname=shop", "-tA", "-c", COUNT)
    return project.container("db").run(*psql).strip()
