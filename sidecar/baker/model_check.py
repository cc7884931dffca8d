"""Compare the models with the migrations, as `makemigrations --check` does."""

from __future__ import annotations

from pathlib import Path

from django.apps import apps
from django.core.management import get_commands, load_command_class
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.operations.base import Operation
from django.db.migrations.questioner import MigrationQuestioner
from django.db.migrations.state import ProjectState

from .errors import Refusal, UsageError, warn
from .loader import Loader
from .operations import describe_operation
from .tracebacks import describe_exception, is_installed

MAX_OPERATIONS = 5
"""Operations named of each app."""


def check_models(loader: Loader, state: ProjectState, project_apps: str | None) -> None:
    """Refuse model changes of the project's own apps that no migration holds; warn of others.

    `state` is the models that all migrations make, `project_apps` the labels of the project's
    own apps, comma-separated; None finds them.
    """
    own, refused = find_own_apps(project_apps), []
    for app, operations in sorted(detect_changes(loader, state).items()):
        what = ", ".join(map(describe_operation, operations[:MAX_OPERATIONS]))
        more = len(operations) - MAX_OPERATIONS
        what += f" and {more} more" if more > 0 else ""
        if app in own:
            refused.append(f"{app} ({what})")
        else:
            warn(f"models of the installed app {app} differ from its migrations: {what}")
    if refused:
        raise Refusal(
            f"models have changes that no migration holds: {', '.join(refused)}; "
            "run manage.py makemigrations (or bake with --no-model-check)"
        )


def find_own_apps(given: str | None) -> set[str]:
    """Return the labels of the project's own apps: those given, or found in its folder.

    Raises UsageError if one that is given is not installed.
    """
    configs = list(apps.get_app_configs())
    if given is None:
        here = Path.cwd().resolve()
        return {config.label for config in configs if is_own(Path(config.path).resolve(), here)}
    chosen = {label.strip() for label in given.split(",") if label.strip()}
    for label in sorted(chosen - {config.label for config in configs}):
        raise UsageError(f"--project-apps names {label}, which is no installed app")
    return chosen


def is_own(path: Path, here: Path) -> bool:
    """Return whether a folder lies in the project's, and in no virtual environment there."""
    if here != path and here not in path.parents:
        return False
    below = [folder for folder in (path, *path.parents) if here in folder.parents]
    return not is_installed(path.relative_to(here)) and not any(
        (folder / "pyvenv.cfg").is_file() for folder in below
    )


def detect_changes(loader: Loader, state: ProjectState) -> dict[str, list[Operation]]:
    """Return the operations by app that `makemigrations` would write. Raises Refusal."""
    try:
        changes = find_autodetector()(
            state,
            ProjectState.from_apps(apps),
            # The plain questioner has an answer to everything; the others exit, or ask.
            MigrationQuestioner(specified_apps=set(), dry_run=True),
        ).changes(graph=loader.graph)
    except (Exception, SystemExit) as error:
        raise Refusal(
            f"models and migrations cannot be compared: {describe_exception(error)}; "
            "--no-model-check leaves that out"
        ) from error
    return {
        app: [operation for migration in migrations for operation in migration.operations]
        for app, migrations in changes.items()
    }


def find_autodetector() -> type[MigrationAutodetector]:
    """Return the autodetector of the project's own `makemigrations` (Django 5.2), or Django's."""
    command = get_commands()["makemigrations"]
    if isinstance(command, str):
        command = load_command_class(command, "makemigrations")
    found: type[MigrationAutodetector] = getattr(command, "autodetector", MigrationAutodetector)
    return found
