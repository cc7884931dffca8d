"""Write the manifest: the same code gives the same bytes."""

from __future__ import annotations

import hashlib
import json
import os
from argparse import Namespace
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any

import django
from django.apps import apps
from django.conf import settings
from django.db import connections
from django.db.migrations.graph import DummyNode, MigrationGraph
from django.utils import translation

from .breaking_changes import BreakingChanges, add_originals, find_breaking_changes
from .errors import warn
from .fingerprint import compute_fingerprint
from .graph import Key, build_unreplaced_graph, format_name, format_names
from .loader import Loader, load
from .model_check import check_models
from .operations import describe_operation, flatten, is_reversible, touches_data

FORMAT = 1


def bake(options: Namespace) -> str:
    """Return the manifest of the project that is set up. Raises Refusal."""
    # As makemigrations and migrate do: a translated verbose_name is no change of a model.
    with translation.override(None):
        loader = load()
        state, breaking = find_breaking_changes(loader)
        if not options.no_model_check:
            check_models(loader, state, options.project_apps)
        add_originals(loader, breaking)
        for pattern in sorted(set(options.optional)):
            if not any(fnmatchcase(format_name(key), pattern) for key in loader.disk_migrations):
                warn(f"--optional {pattern} matches no migration")
        return render_manifest(loader, breaking, options.release, options.optional)


def render_manifest(
    loader: Loader,
    breaking: BreakingChanges,
    release: str | None = None,
    optional: Iterable[str] = (),
) -> str:
    """Return the manifest for a loader that has built its graph."""
    installed = "\n".join(settings.INSTALLED_APPS)
    graph = render_graph(loader, breaking, optional)
    head = {
        "format": FORMAT,
        "digest": compute_digest(graph),
        "release": release,
        "django": django.get_version(),
        "settings": os.environ.get("DJANGO_SETTINGS_MODULE"),
        "installed_apps": compute_digest(installed),
        "databases": {a: d["ENGINE"] for a, d in sorted(connections.settings.items())},
    }
    return f'{dump_json(head)[:-1]},"graph":{graph}}}\n'


def render_graph(loader: Loader, breaking: BreakingChanges, optional: Iterable[str]) -> str:
    """Return the part of the manifest that a verdict depends on; the digest is of these bytes."""
    graph = build_unreplaced_graph(loader)
    labels = [config.label for config in apps.get_app_configs()]
    nodes = [node for _, node in sorted(graph.node_map.items())]
    body = {
        "squashing": "recursive" if django.VERSION >= (6, 0) else "flat",
        "apps": [label for label in labels if label in loader.migrated_apps],
        "optional": sorted(set(optional)),
        "missing": [describe_missing(node) for node in nodes if isinstance(node, DummyNode)],
    }
    rows = [describe_migration(loader, graph, key, breaking) for key in loader.disk_migrations]
    lines = ",\n".join(dump_json(row) for row in rows)
    return f'{dump_json(body)[:-1]},"migrations":[\n{lines}\n]}}'


def describe_migration(
    loader: Loader, graph: MigrationGraph, key: Key, breaking: BreakingChanges
) -> dict[str, Any]:
    """Return one migration as the manifest has it; what is usual is left out."""
    migration = loader.disk_migrations[key]
    replaces = [format_name(tuple(replaced)) for replaced in migration.replaces]
    unusual = {
        "dependencies": format_names(graph.node_map[key].parents),
        "replaces": list(dict.fromkeys(replaces)),
        "operations": [describe_operation(operation) for operation in migration.operations],
        "ast": compute_fingerprint(loader, key),
        "touches_data": any(map(touches_data, flatten(migration.operations))),
        "breaks": breaking.get(key),
    }
    kept = {field: value for field, value in unusual.items() if value}
    row: dict[str, Any] = {"migration": format_name(key), **kept}
    if not migration.atomic:
        row["atomic"] = False
    if not all(map(is_reversible, migration.operations)):
        row["reversible"] = False
    return row


def describe_missing(node: DummyNode) -> dict[str, Any]:
    """Return a name that no file defines but a squash covers, and a migration that needs it."""
    origin = node.origin
    return {
        "migration": format_name(node.key),
        "wanted_by": f"{origin.app_label}.{origin.name}",
        "dependencies": format_names(node.parents),
    }


def compute_digest(text: str) -> str:
    """Return the SHA-256 of a text, with its algorithm."""
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def dump_json(value: object) -> str:
    """Return compact JSON; keys stay in their order."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
