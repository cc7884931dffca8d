"""compose.yaml: one release, a migrate job, two replicas, workers, a proxy and Prometheus."""

import json
import time
from collections.abc import Callable

import pytest

from e2e.compose import Project
from e2e.docker import Container, Image, docker, parse_time
from e2e.visitor import Visitor
from support.process import ask, until

pytestmark = pytest.mark.docker

SLOW_SECONDS = "4"


def test_one_release(
    projects: Callable[..., Project], shop_sidecar: Image, report: Callable[[str], None]
) -> None:
    """Traffic and work begin once the schema is current, and an outage of the database ends none.

    One story in one test, since each chapter starts where the one before it ended.
    """
    assert shop_sidecar.name
    project = projects(EXAMPLE_SLOW_SECONDS=SLOW_SECONDS)
    project.run("up", "--detach", "proxy")
    with Visitor(project.url("proxy", 8000)) as visitor:
        closed = visitor.wait_for(503)
        up = project.start("up", "--detach")
        first = visitor.wait_for(200, within=120)
        output, _ = up.communicate(timeout=120)
        assert up.returncode == 0, output

        sidecar = project.container("sidecar")
        ended = parse_time(project.container("migrate").state["FinishedAt"])
        opened = sidecar.logged_at("gate open")
        assert project.container("migrate").state["ExitCode"] == 0
        assert (opened - ended).total_seconds() < 2
        before = [answer for answer in visitor.after(closed.at) if answer.at < ended]
        assert {answer.status for answer in before} == {503}
        apps = project.containers("app")
        assert len(apps) == 2
        assert all(app.started > opened for app in apps)
        assert all(answer.status == 200 for answer in visitor.after(first.at))
        report(
            f"gate opens {(opened - ended).total_seconds():+.2f} s after the migrate job's end, "
            f"first request served {(first.at - ended).total_seconds():+.2f} s"
        )

        worker = project.container("worker")
        until(lambda: "open orders" in worker.log, "a task ran")
        assert worker.logged_at("celery@") > opened
        assert "OperationalError" not in worker.log
        assert "schema_behind" in worker.log

        ready = f"{project.url('prometheus', 9090)}/api/v1/query?query=django_schema_ready"
        until(lambda: query_values(ready) == ["1"], "Prometheus has scraped the sidecar")
        rules = ask(f"{project.url('prometheus', 9090)}/api/v1/rules")[1]
        assert "DjangoSchemaBehind" in rules

        report(f"the sidecar's resident memory is {sidecar.resident_mebibytes():.0f} MiB")
        check_outage(project, visitor, report)


def query_values(url: str) -> list[str]:
    """Return the values that a Prometheus query finds."""
    status, text = ask(url)
    return (
        [each["value"][1] for each in json.loads(text)["data"]["result"]] if status == 200 else []
    )


def check_outage(project: Project, visitor: Visitor, report: Callable[[str], None]) -> None:
    """Kill PostgreSQL for a while; nothing but it starts anew, nothing becomes unhealthy."""
    sidecar, server = project.container("sidecar"), project.container("db")
    watched = [
        container
        for service in ("sidecar", "app", "worker", "beat", "proxy")
        for container in project.containers(service)
    ]
    before = [read_starts(each) for each in watched]
    docker("kill", server.id)
    until(lambda: "database_unreachable" in last_line(sidecar), "the sidecar notices")
    visitor.wait_for(500)
    began = time.monotonic()
    while time.monotonic() - began < 5:
        assert sidecar.health == "healthy"
        time.sleep(0.5)
    assert ask(f"{project.url('proxy', 8000)}/ping")[0] == 200
    docker("start", server.id)
    visitor.wait_for(200)
    until(lambda: "schema_current" in last_line(sidecar), "the sidecar sees it again")
    assert [read_starts(each) for each in watched] == before
    report("PostgreSQL killed for 5 s: healthy throughout, nothing restarted, /ping served")


def read_starts(container: Container) -> tuple[str, int]:
    """Return when a container was started, and how often anew."""
    facts = container.facts
    return facts["State"]["StartedAt"], facts["RestartCount"]


def last_line(container: Container) -> str:
    """Return the last line that a container printed."""
    return container.log.splitlines()[-1]
