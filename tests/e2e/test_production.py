"""compose.production.yaml: roles with what they need, and migrations as a step of their own."""

from collections.abc import Callable
from pathlib import Path

import pytest

from e2e.compose import Project
from e2e.docker import Image
from support.process import ask, until

pytestmark = pytest.mark.docker

SECRETS = {
    "POSTGRES_PASSWORD": "one",
    "MIGRATE_PASSWORD": "two",
    "SHOP_PASSWORD": "three",
    "READER_PASSWORD": "four",
    "DJANGO_SECRET_KEY": "five",
    "DJANGO_ALLOWED_HOSTS": ".localhost,127.0.0.1",
}
ALLOWED = [
    ("shop", "three", "INSERT INTO catalog_category (name) VALUES ('a')"),
    ("sidecar", "four", "SELECT count(*) FROM django_migrations"),
    ("shop_migrate", "two", "CREATE TABLE made (id int); DROP TABLE made"),
]
DENIED = [
    ("shop", "three", "CREATE TABLE made (id int)"),
    ("shop", "three", "ALTER TABLE orders_order ADD made int"),
    ("shop", "three", "DELETE FROM django_migrations"),
    ("sidecar", "four", "SELECT 1 FROM orders_order"),
    ("sidecar", "four", "DELETE FROM django_migrations"),
]


def test_a_password_that_is_not_set_is_named(projects: Callable[..., Project]) -> None:
    """Nothing starts with a default password: Compose names the variable that is missing."""
    project = projects("production", **{**SECRETS, "SHOP_PASSWORD": ""})
    with pytest.raises(AssertionError, match="SHOP_PASSWORD"):
        project.run("config")


def test_production(
    projects: Callable[..., Project],
    shop_sidecar: Image,
    tmp_path: Path,
    report: Callable[[str], None],
) -> None:
    """After the migrate step everything comes up, read-only, with roles that suffice."""
    assert shop_sidecar.name
    secret = tmp_path / "password"
    secret.write_text("four\n")
    secret.chmod(0o644)
    project = projects("production", READER_PASSWORD_FILE=str(secret), **SECRETS)
    project.run("run", "--rm", "migrate")
    project.run("up", "--detach")
    url = project.url("proxy", 8000)
    until(lambda: ask(url)[0] == 200, "the shop answers", 60)
    worker = project.container("worker")
    until(lambda: "open orders" in worker.log, "a task ran")
    for service in ("sidecar", "app", "worker", "beat", "proxy"):
        for container in project.containers(service):
            host = container.facts["HostConfig"]
            assert host["ReadonlyRootfs"], service
            assert host["CapDrop"] == ["ALL"], service
            assert container.facts["RestartCount"] == 0, service
    server = project.container("db")
    for role, password, statement in ALLOWED + DENIED:
        address = f"postgres://{role}:{password}@127.0.0.1/shop"
        allowed = (role, password, statement) in ALLOWED
        output = server.run(
            "psql", address, "-v", "ON_ERROR_STOP=1", "-c", statement, check=allowed
        )
        denied = "permission denied" in output or "must be owner" in output
        assert denied is not allowed, (role, statement, output)
    report("migrate, up, served: read-only, no capabilities, three roles")
