"""A project of django-tenants, with a schema for each of its tenants."""

import subprocess
import sys
from pathlib import Path

from support.database import Database
from support.process import PATIENCE
from support.project import REPOSITORY, environment, sidecar

PROJECT = REPOSITORY / "tests" / "tenants" / "project"

CREATE = """
import sys
import django
django.setup()
from customers.models import Client
for name in sys.argv[1:]:
    Client(schema_name=name, name=name).save()
"""


class Tenants:
    """The project on one database; its schemas are read by the read-only role."""

    def __init__(self, database: Database) -> None:
        """Migrate what is shared, and grant what a sidecar needs in every schema to come."""
        self.database = database
        database.execute("DROP TABLE IF EXISTS django_migrations")
        owner = "shop_migrate"
        database.execute(f"GRANT CREATE ON DATABASE {database.name} TO {owner}")
        grants = ("USAGE ON SCHEMAS", "SELECT ON TABLES")
        for grant in grants:
            database.execute(
                f"ALTER DEFAULT PRIVILEGES FOR ROLE {owner} GRANT {grant} TO sidecar_reader"
            )
        self.manage("migrate_schemas", "--shared")

    @staticmethod
    def bake(folder: Path) -> Path:
        """Return the project's manifest."""
        path = folder / "manifest.json"
        subprocess.run(
            [sidecar(), "bake", "--settings=tenant_settings", "-o", path],
            check=True, cwd=PROJECT, env=environment(), capture_output=True,
        )  # fmt: skip
        return path

    def start(self, *arguments: str, **variables: str) -> "subprocess.Popen[bytes]":
        """Start a management command, in a process group of its own."""
        return subprocess.Popen(
            [sys.executable, "manage.py", *arguments, "--verbosity=0"],
            cwd=PROJECT,
            env=environment(DATABASE_URL=self.database.migrator, **variables),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def manage(self, *arguments: str, **variables: str) -> None:
        """Run a management command."""
        process = self.start(*arguments, **variables)
        if process.wait(120 * PATIENCE):
            raise AssertionError(f"{arguments} ended with {process.returncode}")

    def create(self, *names: str, **variables: str) -> None:
        """Make tenants, as the application does: a row, a schema, and all migrations in it."""
        subprocess.run(
            [sys.executable, "-c", CREATE, *names],
            check=True,
            cwd=PROJECT,
            env=environment(
                DATABASE_URL=self.database.migrator,
                DJANGO_SETTINGS_MODULE="tenant_settings",
                PYTHONPATH=str(PROJECT),
                **variables,
            ),
        )

    def back(self, tenant: str, name: str = "0001_initial") -> None:
        """Take one tenant's shop back to an earlier migration."""
        self.manage("migrate_schemas", f"--schema={tenant}", "shop", name)
