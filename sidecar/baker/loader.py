"""Load a project's migrations as Django does, and refuse those that `migrate` would refuse."""

from __future__ import annotations

import os
from typing import Any

import django
from django.apps import apps
from django.conf import settings
from django.core.management.base import CommandError
from django.db.migrations.exceptions import CircularDependencyError, NodeNotFoundError
from django.db.migrations.loader import MigrationLoader

from .errors import Refusal, warn
from .graph import Key, format_name
from .tracebacks import describe_exception, describe_failed_import


class Loader(MigrationLoader):  # type: ignore[misc]  # Django is untyped
    """Django's loader with apps in the order of INSTALLED_APPS and their migrations by name.

    So no hash seed changes an order, and the same code gives the same bytes.
    """

    disk_migrations: dict[Key, Any]

    def load_disk(self) -> None:
        """Import all migrations. Raises Refusal if one cannot be imported or is malformed."""
        try:
            super().load_disk()
        except (Exception, SystemExit) as error:
            raise Refusal(
                f"{describe_failed_import(error)} cannot be loaded: {describe_exception(error)}"
            ) from error
        order = {config.label: n for n, config in enumerate(apps.get_app_configs())}
        found = sorted(self.disk_migrations, key=lambda key: (order[key[0]], key[1]))
        self.disk_migrations = {key: self.disk_migrations[key] for key in found}
        refuse_malformed(self.disk_migrations)


def load() -> Loader:
    """Return Django's loader for an empty database. Raises Refusal."""
    loader = Loader(None, load=False)
    try:
        loader.build_graph()
    except CircularDependencyError as error:
        cycle = rotate_cycle(str(error))
        raise Refusal(f"migrations depend on each other in a cycle: {cycle}") from None
    except NodeNotFoundError as error:
        raise Refusal(describe_missing_node(error)) from None
    except (ValueError, CommandError) as error:
        raise Refusal(f"{error}{describe_first_or_latest(loader)}") from None
    finally:
        warn_of_undefined_order(loader)
    refuse_empty(loader)
    refuse_conflicts(loader)
    return loader


def refuse_malformed(migrations: dict[Key, Any]) -> None:
    """Refuse references that are no tuple (app, name): Django would fail on them unclearly."""
    for key, migration in migrations.items():
        for field in ("dependencies", "run_before", "replaces"):
            for entry in getattr(migration, field):
                if not isinstance(entry, tuple) or len(entry) != 2:
                    raise Refusal(
                        f"{format_name(key)} has {entry!r} in {field}: no tuple (app, name)"
                    )


def rotate_cycle(cycle: str) -> str:
    """Start a cycle, names joined by commas, at its first name: Django starts it anywhere."""
    found = cycle.split(", ")
    first = found.index(min(found))
    return ", ".join(found[first:] + found[:first])


def describe_missing_node(error: NodeNotFoundError) -> str:
    """Name both ends of a dependency on a migration that does not exist."""
    if error.origin is None:
        return str(error)
    verb = "is to run before" if "child node" in str(error) else "depends on"
    known = "wasn't able to" in str(error) and " (and the squash that replaces it is unusable)"
    name = format_name(error.node)
    return f"{error.origin} {verb} {name}, which no file defines{known or ''}"


def describe_first_or_latest(loader: Loader) -> str:
    """Name the migrations that refer to the first or last of an app that has none, if any do."""
    known = loader.migrated_apps | loader.unmigrated_apps
    filled = {app for app, _ in loader.disk_migrations}
    found = {
        format_name(key)
        for key, migration in loader.disk_migrations.items()
        for app, which in [*migration.dependencies, *migration.run_before]
        if which in ("__first__", "__latest__") and (app not in known or app not in filled)
    }
    return f" (in {', '.join(sorted(found))})" if found else ""


def refuse_empty(loader: Loader) -> None:
    """Refuse settings that yield no migration at all."""
    if not loader.disk_migrations:
        raise Refusal(
            f"the settings {os.environ.get('DJANGO_SETTINGS_MODULE')} yield no migrations at all "
            f"({len(settings.INSTALLED_APPS)} installed apps); are they the right settings?"
        )


def refuse_conflicts(loader: Loader) -> None:
    """Refuse a squash that replaces itself, and apps with several last migrations."""
    for key, migration in loader.replacements.items():
        if key in migration.replaces:
            raise Refusal(f"{format_name(key)} replaces itself")
    conflicts = loader.detect_conflicts()
    if conflicts:
        named = "; ".join(
            f"{', '.join(found)} in {app}" for app, found in sorted(conflicts.items())
        )
        raise Refusal(
            f"conflicting migrations, each the last of its app: {named}; "
            "merge them with manage.py makemigrations --merge"
        )


def warn_of_undefined_order(loader: Loader) -> None:
    """Name the squashes for which Django's result depends on the order of a set."""
    if django.VERSION >= (6, 1):
        return
    replacements = getattr(loader, "replacements", {})  # none yet where a file is broken
    squashes = {key: set(migration.replaces) for key, migration in replacements.items()}
    for outer, replaced in squashes.items():
        for other, likewise in squashes.items():
            if other[0] != outer[0] or other == outer:
                continue
            if other in replaced and django.VERSION < (6, 0):
                warn(
                    f"{format_name(outer)} replaces the squash {format_name(other)}: before "
                    "Django 6.0 the outcome depends on the order in which files are found; "
                    "sorted order is taken"
                )
            elif other > outer and replaced & likewise:
                warn(
                    f"{format_name(outer)} and {format_name(other)} replace some of the same "
                    "migrations: before Django 6.1 the outcome depends on the order in which "
                    "files are found; sorted order is taken"
                )
