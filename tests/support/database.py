"""One database of a server, with the roles that the project ships SQL for."""

from dataclasses import dataclass

from support import project
from support.postgres import PASSWORD, Server

READER = "sidecar_reader"
MIGRATOR = "shop_migrate"


@dataclass(frozen=True)
class Database:
    """A database of the session's server, with the role that reads and the one that migrates."""

    server: Server
    name: str

    @property
    def reader(self) -> str:
        """The URL that a sidecar gets."""
        return self.server.url(self.name, READER)

    @property
    def migrator(self) -> str:
        """The URL that manage.py migrate gets."""
        return self.server.url(self.name, MIGRATOR)

    def execute(self, statement: str) -> list[tuple[object, ...]]:
        """Run a statement as superuser."""
        return self.server.execute(statement, self.name)

    def migrate(self, *arguments: str, **variables: str) -> None:
        """Migrate the example project, as the role that may."""
        project.manage("migrate", "--verbosity=0", *arguments, url=self.migrator, **variables)


def add_database(server: Server, name: str) -> Database:
    """Create a database whose roles are made by the SQL that the project ships."""
    if not server.execute(f"SELECT 1 FROM pg_roles WHERE rolname = '{MIGRATOR}'"):
        server.execute(f"CREATE ROLE {MIGRATOR} LOGIN PASSWORD '{PASSWORD}'")
    server.execute(f"CREATE DATABASE {name}")
    server.execute(f"GRANT CREATE ON SCHEMA public TO {MIGRATOR}", name)
    server.psql(
        name,
        project.READER_SQL,
        reader=READER,
        password=PASSWORD,
        migrator=MIGRATOR,
        schema="public",
    )
    return Database(server, name)
