"""What each migration breaks for code that knows only the schema before it.

Only what is certain from the operation and the models before it is claimed: nothing of
RunSQL, RunPython or an operation of the project's own that does its own thing to the
database, nothing of a table or column that the same migration has made, nothing of a
model without a table (proxy, unmanaged, swapped out).
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from django.conf import settings
from django.db.migrations import Migration
from django.db.migrations.exceptions import CircularDependencyError
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ModelState, ProjectState

from .breaking_rules import RULES
from .errors import Refusal
from .graph import Key, build_graph_of_originals, iterate_in_order
from .loader import Loader
from .operations import describe_operation
from .table import NewNames, Table
from .tracebacks import describe_exception

BreakingChanges = dict[Key, list[str]]
"""Of each migration, what it breaks, in the order of its operations."""


def find_breaking_changes(loader: Loader) -> tuple[ProjectState, BreakingChanges]:
    """Apply every migration; return the models at the end, and what each migration breaks.

    Raises Refusal if a migration does not fit those before it.
    """
    breaking: BreakingChanges = {}
    state = ProjectState(real_apps=loader.unmigrated_apps)
    for key, migration in iterate_in_order(loader.graph):
        breaking[key] = apply_migration(migration, state)
    return state, breaking


def add_originals(loader: Loader, breaking: BreakingChanges) -> None:
    """Add what squashes replace: it runs on databases that are half-way through them."""
    if not loader.replacements:
        return
    graph = build_graph_of_originals(loader)
    try:
        graph.ensure_not_cyclic()
    except CircularDependencyError:
        return  # a squash was made to undo the cycle
    state = ProjectState(real_apps=loader.unmigrated_apps)
    for key, migration in iterate_in_order(graph):
        # What they need may be deleted; then nothing is claimed of them.
        with contextlib.suppress(Refusal):
            breaking.setdefault(key, apply_migration(migration, state))


def apply_migration(migration: Migration, state: ProjectState) -> list[str]:
    """Apply a migration to the models; return what it breaks. Raises Refusal."""
    found: list[str] = []
    new: NewNames = set()
    for operation in migration.operations:
        with contextlib.suppress(Exception):  # an opinion on odd code; it must not stop a bake
            found += find_in_operation(operation, migration.app_label, state, new)
        try:
            operation.state_forwards(migration.app_label, state)
        except Exception as error:
            raise Refusal(
                f"{migration} does not fit the migrations before it: "
                f"{describe_operation(operation)}: {describe_exception(error)}"
            ) from error
    return found


def find_in_operation(
    operation: Operation, app: str, state: ProjectState, new: NewNames
) -> list[str]:
    """Return what an operation breaks; `new` is what the same migration has made so far."""
    inner = getattr(operation, "database_operations", None)
    if inner is not None:
        return find_inside(inner, app, state, new)
    kind = find_kind(operation)
    subject = getattr(operation, "model_name", None) or getattr(operation, "name", None) or ""
    model = state.models.get((app, str(subject).lower()))
    found: list[str] = []
    rule = RULES.get(kind or "")
    if rule and model is not None and has_table(model) and (model.name_lower,) not in new:
        found = list(rule(operation, Table(model, new)))
    note_new(operation, kind, model, new)
    return found


def find_inside(
    operations: Sequence[Operation], app: str, state: ProjectState, new: NewNames
) -> list[str]:
    """Return what the database's side of SeparateDatabaseAndState breaks, one after the other."""
    found: list[str] = []
    state = state.clone() if operations else state
    for operation in operations:
        found += find_in_operation(operation, app, state, new)
        operation.state_forwards(app, state)
    return found


def find_kind(operation: Operation) -> str | None:
    """Return which of Django's operations this is to the database, if it is one at all."""
    forwards = getattr(type(operation), "database_forwards", None)
    if not getattr(forwards, "__module__", "").startswith("django."):
        return None
    kinds = [c for c in type(operation).__mro__ if c.__module__.startswith("django.db.migrations.")]
    return kinds[0].__name__ if kinds else None


def note_new(
    operation: Operation, kind: str | None, model: ModelState | None, new: NewNames
) -> None:
    """Add the table or column that an operation makes: no running code can know it yet."""
    if kind == "CreateModel":
        new.add((operation.name_lower,))
    elif kind == "RenameModel" and (operation.old_name_lower,) in new:
        new.add((operation.new_name_lower,))
    elif kind == "AddField" and model is not None:
        new.add((model.name_lower, operation.name))
    elif kind == "RenameField" and model and (model.name_lower, operation.old_name) in new:
        new.add((model.name_lower, operation.new_name))


def has_table(model: ModelState) -> bool:
    """Return whether a model has a table that migrations make."""
    options = model.options
    swapped = getattr(settings, options.get("swappable") or "", None)
    ours = swapped is None or swapped.lower() == f"{model.app_label}.{model.name_lower}"
    return bool(ours and options.get("managed", True) and not options.get("proxy"))
