"""compose.blue-green.yaml: two releases on one database, and which of them gets the traffic."""

import time
from collections.abc import Callable

import pytest

from e2e.compose import Project
from e2e.docker import Image
from e2e.visitor import Visitor
from support.process import until

pytestmark = pytest.mark.docker


def test_blue_green(
    projects: Callable[..., Project], shop: Image, next_shop: Image, report: Callable[[str], None]
) -> None:
    """Green gets traffic only once it is ready, blue serves until then, and takes it back."""
    project = projects("blue-green", BLUE_IMAGE=shop.name, GREEN_IMAGE=next_shop.name)
    project.run("run", "--rm", "migrate", MIGRATE_IMAGE=shop.name)
    project.run("up", "--detach")
    blue, green = (project.container(f"sidecar-{colour}") for colour in ("blue", "green"))
    with Visitor(project.url("proxy", 8000)) as visitor:
        began = visitor.wait_for(200, "blue")
        until(lambda: "schema_behind" in green.log, "green sees that it is behind")

        output = project.run("run", "--rm", "switch", "green")
        assert "not ready: schema_behind" in output
        time.sleep(3)
        assert green.health == "starting"
        report("green is wanted and behind: blue serves")

        project.run("run", "--rm", "migrate", MIGRATE_IMAGE=next_shop.name)
        until(lambda: "gate open" in green.log, "green's gate opens", 2)
        opened = green.logged_at("gate open")
        switched = visitor.wait_for(200, "green")
        before = [answer for answer in visitor.after(began.at) if answer.at < opened]
        assert {answer.served_by.partition("/")[0] for answer in before} == {"blue"}
        report(f"green serves {(switched.at - opened).total_seconds():.2f} s after its gate opened")

        until(lambda: "schema_ahead" in blue.run("sidecar", "healthcheck"), "blue sees it")
        project.run("run", "--rm", "switch", "blue")
        visitor.wait_for(200, "blue")
        time.sleep(2)
        assert blue.health == "healthy"
        answers = visitor.after(began.at)
        assert {answer.status for answer in answers} == {200}
        report(f"back to blue with the database ahead; {len(answers)} requests, none failed")
