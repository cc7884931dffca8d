"""What Django answers: its own loader, executor and recorder, on a real PostgreSQL.

Only `load_disk` is replaced, by the files of a project that exists nowhere; Django is set
up once in a process, against one server.
"""

import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import django
from django.conf import settings
from django.core.management.base import CommandError
from django.db import connections, transaction
from django.db.migrations.exceptions import (
    CircularDependencyError,
    InconsistentMigrationHistory,
    NodeNotFoundError,
)
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.migration import Migration
from django.db.migrations.recorder import MigrationRecorder

from equivalence.projects import Case, Project, app_of
from support.postgres import PASSWORD, Server

VERSION: tuple[int, int] = (django.VERSION[0], django.VERSION[1])
LABELS = ("a", "a_b", "a1", "b", "B", "plain", "social_django", "two_factor", "phonenumber")
DATABASE = "equivalence"
REFUSALS = (NodeNotFoundError, CircularDependencyError, CommandError, ValueError)
VIOLATION = re.compile(r"Migration (\S+) is applied before its dependency (\S+) on database")


@dataclass(frozen=True, slots=True)
class Answer:
    """Django's four questions, and what else it knows, about one set of rows."""

    error: str | None = None
    violation: tuple[str, str] | None = None
    conflicts: tuple[tuple[str, ...], ...] = ()
    plan: tuple[str, ...] = ()
    records: tuple[str, ...] = ()
    """The rows that `check_replacements` writes."""
    nodes: frozenset[str] = frozenset()
    edges: frozenset[tuple[str, str]] = frozenset()
    """(migration, its dependency) after replacement."""
    applied: frozenset[str] = frozenset()

    @property
    def content(self) -> bool:
        """Whether `migrate --check` would exit with 0."""
        return not (self.error or self.violation or self.conflicts or self.plan)


def set_up(server: Server) -> Any:
    """Start Django on this server; return its connection, the table in place."""
    if settings.configured:
        raise RuntimeError("Django is set up already in this process; it can be only once")
    database = {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": "127.0.0.1",
        "PORT": server.port,
        "NAME": DATABASE,
        "USER": "postgres",
        "PASSWORD": PASSWORD,
    }
    settings.configure(
        DATABASES={"default": database},
        INSTALLED_APPS=[_application(label) for label in LABELS],
        USE_TZ=True,
    )
    django.setup()
    MigrationRecorder(connections["default"]).ensure_schema()
    return connections["default"]


def _application(label: str) -> str:
    module = ModuleType(f"nowhere.{label}")
    module.__path__ = [str(Path(__file__).parent)]
    sys.modules.setdefault("nowhere", ModuleType("nowhere"))
    sys.modules[module.__name__] = module
    return module.__name__


class Loader(MigrationLoader):
    """Django's loader; the disk is a project."""

    def __init__(self, connection: Any, project: Project, *, backwards: bool = False) -> None:
        """Take the project; nothing is built yet."""
        self.project, self.backwards = project, backwards
        super().__init__(connection, load=False)

    def load_disk(self) -> None:
        """Find the files as the baker's loader has them: apps as installed, names sorted."""
        self.migrated_apps = set(self.project.apps)
        self.unmigrated_apps = set(self.project.unmigrated)
        files = sorted(self.project.files, key=lambda f: f.migration, reverse=self.backwards)
        files.sort(key=lambda file: self.project.apps.index(file.app))
        self.disk_migrations = {}
        for file in files:
            key = as_tuple(file.migration)
            migration = Migration(key[1], key[0])
            migration.dependencies = as_tuples(file.dependencies)
            migration.run_before = as_tuples(file.run_before)
            migration.replaces = as_tuples(file.replaces)
            self.disk_migrations[key] = migration


class Executor(MigrationExecutor):
    """Django's executor on a loader that has built its graph."""

    def __init__(self, connection: Any, loader: Loader) -> None:
        """Take the loader instead of making one."""
        self.connection, self.loader = connection, loader
        self.recorder = MigrationRecorder(connection)
        self.progress_callback = None


def load_on_empty_database(project: Project) -> tuple[Loader, str | None]:
    """Return the loader that has tried, and why it refuses, a conflict included."""
    loader = Loader(None, project)
    error = _build(loader)
    if not error and (conflicts := loader.detect_conflicts()):
        error = f"conflicts: {conflicts}"
    return loader, error


def record(connection: Any, rows: Sequence[str], *, in_order: bool = False) -> None:
    """Make these the rows of `django_migrations`, with ids in this order.

    Django's recorder asks for no order. A fresh table gives the rows back as they were
    written; making one takes longer than all the rest of a case, so it is done on demand.
    """
    statement = "TRUNCATE django_migrations" if in_order else "DELETE FROM django_migrations"
    if rows:
        statement += "; INSERT INTO django_migrations (app, name, applied) VALUES "
        statement += ", ".join(["(%s, %s, now())"] * len(rows))
    with connection.cursor() as cursor:
        cursor.execute(statement, [part for row in rows for part in as_tuple(row)] or None)


def ask(connection: Any, case: Case) -> Answer:
    """Ask Django about the rows in the database."""
    loader = Loader(connection, case.project, backwards=case.backwards)
    if error := _build(loader):
        return Answer(error=error)
    executor = Executor(connection, loader)
    plan = executor.migration_plan(loader.graph.leaf_nodes())
    assert not any(backwards for _, backwards in plan)
    return Answer(
        violation=find_violation(connection, loader),
        conflicts=tuple(
            tuple(as_name((app, name)) for name in names)
            for app, names in sorted(loader.detect_conflicts().items())
        ),
        plan=tuple(as_name((migration.app_label, migration.name)) for migration, _ in plan),
        records=_find_records(connection, executor) if loader.replacements else (),
        nodes=frozenset(as_names(loader.graph.nodes)),
        edges=frozenset(
            (as_name(key), as_name(parent.key))
            for key, node in loader.graph.node_map.items()
            for parent in node.parents
        ),
        applied=frozenset(as_names(loader.applied_migrations)),
    )


def build_loader(connection: Any, case: Case) -> Loader:
    """Return the loader of a case whose graph builds."""
    loader = Loader(connection, case.project, backwards=case.backwards)
    loader.build_graph()
    return loader


def find_violation(connection: Any, loader: Loader) -> tuple[str, str] | None:
    """Return the one pair that Django names, if the history is inconsistent."""
    try:
        loader.check_consistent_history(connection)
    except InconsistentMigrationHistory as error:
        names = VIOLATION.findall(str(error))
        return names[0][0], names[0][1]
    return None


def as_tuple(name: str) -> tuple[str, str]:
    """Return a name as Django's key."""
    return app_of(name), name.partition(".")[2]


def as_tuples(names: Iterable[str]) -> list[tuple[str, str]]:
    """Return names as Django's keys."""
    return [as_tuple(name) for name in names]


def as_name(key: tuple[str, str]) -> str:
    """Return Django's key as a name."""
    return f"{key[0]}.{key[1]}"


def as_names(keys: Iterable[tuple[str, str]]) -> list[str]:
    """Return Django's keys as names."""
    return [as_name(key) for key in keys]


def _build(loader: Loader) -> str | None:
    try:
        loader.build_graph()
    except REFUSALS as error:
        return f"{type(error).__name__}: {error}"
    return None


def _find_records(connection: Any, executor: Executor) -> tuple[str, ...]:
    """Let Django write the rows of unrecorded squashes, read them, and roll back."""
    rows = executor.recorder.migration_qs.order_by("id").values_list("app", "name")
    with transaction.atomic(using=connection.alias):
        before = len(rows)
        executor.check_replacements()
        added = as_names(rows.all())[before:]
        transaction.set_rollback(True, using=connection.alias)
    return tuple(added)
