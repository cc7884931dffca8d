"""The graph that Django walks: squashed migrations replaced, as the recorded rows have it.

A transcription of what `MigrationLoader.build_graph` and `MigrationGraph` do between
loading the files and planning (django/db/migrations/loader.py and graph.py; 4.2 to 6.1).
Which squash replaces its originals depends on the rows, and nothing else of the graph
does, so a graph is rebuilt only when that choice changes.
"""

from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter

import msgspec

from sidecar.core.migrations.manifest import Key, Manifest, Missing, Node, Squashing, app_of

Edges = dict[Key, set[Key]]


class ReplacedGraph(msgspec.Struct, frozen=True, eq=False):
    """Django's graph after replacement; `error` is why Django would refuse it."""

    nodes: frozenset[Key] = frozenset()
    parents: Edges = {}
    children: Edges = {}
    leaves: tuple[Key, ...] = ()
    conflicts: tuple[tuple[Key, ...], ...] = ()
    error: str | None = None


class GraphBuilder:
    """Builds the graphs of one manifest, and keeps the last few of them."""

    def __init__(self, manifest: Manifest) -> None:
        """Take the manifest."""
        self._manifest = manifest
        self._order, self._error = _find_processing_order(manifest)
        self._replace = lru_cache(maxsize=4)(self._build)

    def build(self, rows: AbstractSet[Key]) -> tuple[ReplacedGraph, AbstractSet[Key]]:
        """Return the graph that Django would build from these rows, and what counts as applied.

        A squash counts as applied exactly when all that it replaces is, whatever its own row
        is; it is usable when all or none of it is.
        """
        if self._error:
            return ReplacedGraph(error=self._error), rows
        if not self._order:
            return self._replace(()), rows
        applied = set(rows)
        usable = []
        for squash, originals in self._order:
            recorded = sum(original in applied for original in originals)
            if recorded == len(originals):
                applied.add(squash)
            else:
                applied.discard(squash)
            usable.append(recorded in (0, len(originals)))
        return self._replace(tuple(usable)), applied

    def _build(self, usable: tuple[bool, ...]) -> ReplacedGraph:
        manifest = self._manifest
        parents: Edges = {}
        children: Edges = {key: set() for key in (*manifest.nodes, *manifest.missing)}
        entries: list[Node | Missing] = [*manifest.nodes.values(), *manifest.missing.values()]
        for entry in entries:
            parents[entry.migration] = set(entry.dependencies)
            for parent in entry.dependencies:
                children[parent].add(entry.migration)
        for (squash, _), use in zip(self._order, usable, strict=True):
            if squash not in parents:
                return ReplacedGraph(error=f"{squash} is itself replaced before it can replace")
            change = _remove_replaced_nodes if use else _remove_replacement_node
            change(parents, children, squash, manifest.squashes[squash])
        error = _missing(manifest, parents) or _cycle(parents)
        if error:
            return ReplacedGraph(error=error)
        leaves = _leaves(children)
        return ReplacedGraph(frozenset(parents), parents, children, leaves, _conflicts(leaves))


def _find_processing_order(
    manifest: Manifest,
) -> tuple[tuple[tuple[Key, Collection[Key]], ...], str | None]:
    """Return the squashes in the order of replacement, each with what its status asks for.

    Below Django 6.0 that is disk order and `replaces` as written; from 6.0 inner squashes
    come first, and the status is taken over the originals.
    """
    if manifest.squashing is Squashing.FLAT:
        return tuple(manifest.squashes.items()), None
    done: dict[Key, None] = {}
    entered: set[Key] = set()
    stack = [(key, False) for key in reversed(manifest.squashes)]
    while stack:
        key, finished = stack.pop()
        if finished:
            done[key] = None
        elif key not in entered:
            entered.add(key)
            stack.append((key, True))
            inner = [k for k in manifest.squashes[key] if k in manifest.squashes]
            if any(k in entered and k not in done for k in inner):
                return (), f"squashes replace each other in a cycle that passes {key}"
            stack += [(k, False) for k in reversed(inner)]
    return tuple((key, manifest.originals[key]) for key in done), None


def _remove_replaced_nodes(
    parents: Edges, children: Edges, squash: Key, replaced: Collection[Key]
) -> None:
    """Remove what the squash replaces, and tie its neighbours to the squash."""
    inside = set(replaced)
    for key in inside & parents.keys():
        for child in children.pop(key):
            parents[child].discard(key)
            if child not in inside:
                children[squash].add(child)
                parents[child].add(squash)
        for parent in parents.pop(key):
            children[parent].discard(key)
            if parent not in inside:
                parents[squash].add(parent)
                children[parent].add(squash)


def _remove_replacement_node(
    parents: Edges, children: Edges, squash: Key, replaced: Collection[Key]
) -> None:
    """Remove the squash, and tie its children to the last of what it would have replaced."""
    present = {key for key in replaced if key in parents}
    last = present.difference(*(parents[key] for key in present))
    for child in children.pop(squash):
        parents[child].discard(squash)
        for key in last:
            children[key].add(child)
            parents[child].add(key)
    for parent in parents.pop(squash):
        children[parent].discard(squash)


def _missing(manifest: Manifest, parents: Mapping[Key, AbstractSet[Key]]) -> str | None:
    for key, entry in manifest.missing.items():
        if key in parents:
            squashes = [s for s, replaces in manifest.squashes.items() if key in replaces]
            why = f" ({', '.join(squashes)} cannot stand for it yet)" if squashes else ""
            return f"{entry.wanted_by} depends on {key}, which no file defines{why}"
    return None


def _cycle(parents: Mapping[Key, AbstractSet[Key]]) -> str | None:
    try:
        TopologicalSorter({key: sorted(parents[key]) for key in sorted(parents)}).prepare()
    except CycleError as error:
        return f"migrations depend on each other in a cycle: {' -> '.join(error.args[1])}"
    return None


def _leaves(children: Mapping[Key, AbstractSet[Key]]) -> tuple[Key, ...]:
    return tuple(
        sorted(
            key for key, after in children.items() if app_of(key) not in {app_of(k) for k in after}
        )
    )


def _conflicts(leaves: Sequence[Key]) -> tuple[tuple[Key, ...], ...]:
    by_app: dict[str, list[Key]] = {}
    for leaf in leaves:
        by_app.setdefault(app_of(leaf), []).append(leaf)
    return tuple(tuple(group) for group in by_app.values() if len(group) > 1)
