"""Runs in a project's own environment: its Django migrates, and answers questions.

Takes one JSON request a line, and answers each with one JSON line. It knows nothing of the
sidecar, and imports nothing but Django.
"""

import json
import os
import platform
import re
import sys
from typing import Any

import django
from django.core.management.base import CommandError
from django.db import connection
from django.db.migrations.exceptions import (
    CircularDependencyError,
    InconsistentMigrationHistory,
    NodeNotFoundError,
)
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader

REFUSALS = (NodeNotFoundError, CircularDependencyError, CommandError, ValueError)
VIOLATION = re.compile(r"Migration (\S+) is applied before its dependency (\S+) on database")


def facts() -> dict[str, Any]:
    """Return the versions, migrations and squashes of this project."""
    loader = MigrationLoader(connection)
    squashes = {
        name(key): [name(original) for original in migration.replaces]
        for key, migration in loader.replacements.items()
    }
    return {
        "django": django.get_version(),
        "python": platform.python_version(),
        "files": sorted(map(name, loader.disk_migrations)),
        "squashes": squashes,
    }


def migrate(count: int) -> list[str]:
    """Apply so many migrations of what is left of the plan; return their names."""
    executor = MigrationExecutor(connection)
    leaves = executor.loader.graph.leaf_nodes()
    plan = executor.migration_plan(leaves)[:count]
    executor.migrate(leaves, plan=plan)
    return [name((migration.app_label, migration.name)) for migration, _ in plan]


def migrate_originals(squash: str, original: str) -> list[str]:
    """Apply what leads to this migration, as a release before the squash; return their names."""
    executor = MigrationExecutor(connection)
    executor.loader = EarlierLoader(connection, key_of(squash))
    target = key_of(original)
    plan = executor.migration_plan([target])
    executor.migrate([target], plan=plan)
    return [name((migration.app_label, migration.name)) for migration, _ in plan]


class EarlierLoader(MigrationLoader):
    """The disk of a release that did not have one of the squashes yet."""

    def __init__(self, connection: Any, squash: tuple[str, str]) -> None:
        """Take which one."""
        self.squash = squash
        super().__init__(connection)

    def load_disk(self) -> None:
        """Leave the squash out; who depends on it depended on the last that it replaces."""
        super().load_disk()
        originals = self.disk_migrations.pop(self.squash).replaces
        for migration in self.disk_migrations.values():
            migration.dependencies = [
                originals[-1] if key == self.squash else key for key in migration.dependencies
            ]
            migration.replaces = [
                inner
                for key in migration.replaces
                for inner in (originals if key == self.squash else [key])
            ]


def answer() -> dict[str, Any]:
    """Return what the executor makes of the rows: the four questions of `migrate --check`."""
    try:
        executor = MigrationExecutor(connection)
    except REFUSALS as error:
        return {"error": f"{type(error).__name__}: {error}"}
    loader = executor.loader
    plan = [
        name((migration.app_label, migration.name))
        for migration, _ in executor.migration_plan(loader.graph.leaf_nodes())
    ]
    recorded = executor.recorder.applied_migrations()
    squashes = {name(key) for key in loader.replacements if key in recorded}
    unapplied = {name(key) for key in loader.graph.nodes if key not in loader.applied_migrations}
    return {
        "error": None,
        "violation": find_violation(loader),
        "conflicts": [
            [name((app, leaf)) for leaf in sorted(names)]
            for app, names in sorted(loader.detect_conflicts().items())
        ],
        "plan": plan,
        "expected": len(loader.graph.nodes),
        "unrecorded": find_records(executor),
        "hidden": sorted(unapplied - set(plan) - squashes),
    }


def find_violation(loader: MigrationLoader) -> list[str] | None:
    """Return the pair that Django names, if the history is inconsistent."""
    try:
        loader.check_consistent_history(connection)
    except InconsistentMigrationHistory as error:
        return list(VIOLATION.findall(str(error))[0])
    return None


def find_records(executor: MigrationExecutor) -> list[str]:
    """Return the rows that a `migrate` with nothing to do would write."""
    written: list[str] = []
    executor.recorder.record_applied = lambda app, migration: written.append(name((app, migration)))
    executor.check_replacements()
    del executor.recorder.record_applied
    return sorted(written)


def key_of(text: str) -> tuple[str, str]:
    """Return a name of the sidecar's as a key."""
    app, _, migration = text.partition(".")
    return app, migration


def name(key: tuple[str, str]) -> str:
    """Return a key as the sidecar writes it."""
    return f"{key[0]}.{key[1]}"


QUESTIONS = {f.__name__: f for f in (facts, migrate, migrate_originals, answer)}


def main() -> None:
    """Answer until there are no more requests; whatever else prints, prints to stderr."""
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    django.setup()
    for line in sys.stdin:
        question, *arguments = json.loads(line)
        result = QUESTIONS[question](*arguments)
        # Whoever asks may change the rows in between, or drop the database.
        connection.close()
        out.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
