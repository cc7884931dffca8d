"""The loader's graphs: before squashes replace anything, and as if none ever did."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from django.db.migrations import Migration
from django.db.migrations.graph import MigrationGraph

if TYPE_CHECKING:
    from .loader import Loader

Key = tuple[str, str]
"""App label and name of a migration."""


def format_name(key: Key) -> str:
    """Return `app.name`."""
    return f"{key[0]}.{key[1]}"


def format_names(keys: Iterable[Any]) -> list[str]:
    """Return `app.name` of keys, or of nodes of a graph, sorted by key."""
    return [format_name(key) for key in sorted(getattr(key, "key", key) for key in keys)]


def build_unreplaced_graph(loader: Loader) -> MigrationGraph:
    """Return the graph before squashes replace anything, its indirections resolved by Django."""
    replaced = loader.graph
    loader.graph = graph = MigrationGraph()
    try:
        for key, migration in loader.disk_migrations.items():
            graph.add_node(key, migration)
        for key, migration in loader.disk_migrations.items():
            loader.add_internal_dependencies(key, migration)
        for key, migration in loader.disk_migrations.items():
            loader.add_external_dependencies(key, migration)
    finally:
        loader.graph = replaced
    return graph


def build_graph_of_originals(loader: Loader) -> MigrationGraph:
    """Return the graph in which originals stay and squashes go, where the files still exist."""
    graph, squashes = build_unreplaced_graph(loader), dict(loader.replacements)
    while squashes:
        inner = {key for migration in squashes.values() for key in migration.replaces}
        for key in [key for key in squashes if key not in inner] or list(squashes):
            replaces = squashes.pop(key).replaces
            if key not in graph.node_map:
                continue
            if all(original in loader.disk_migrations for original in replaces):
                graph.remove_replacement_node(key, replaces)
            else:
                graph.remove_replaced_nodes(key, replaces)
    return graph


def iterate_in_order(graph: MigrationGraph) -> Iterator[tuple[Key, Migration]]:
    """Yield each migration after those that it depends on."""
    done = set()
    for leaf in graph.leaf_nodes():
        for key in graph.forwards_plan(leaf):
            if key not in done and graph.nodes[key] is not None:
                done.add(key)
                yield key, graph.nodes[key]
