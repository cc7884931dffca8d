"""What is not applied, and Django's `migrate` overlooks: hidden and lost migrations."""

from collections.abc import Set as AbstractSet

from sidecar.core.migrations.graph import ReplacedGraph
from sidecar.core.migrations.manifest import Key, Manifest, app_of


def find_hidden(
    manifest: Manifest, rows: AbstractSet[Key], overlooked: AbstractSet[Key]
) -> list[Key]:
    """Return what is a node of the graph, neither applied nor in the plan; sorted."""
    return sorted(key for key in overlooked if not (key in manifest.squashes and key in rows))


def find_lost(
    manifest: Manifest, graph: ReplacedGraph, rows: AbstractSet[Key], applied: AbstractSet[Key]
) -> dict[Key, bool]:
    """Return originals without a row that only half-applied squashes could still stand for.

    The value is whether that is harmless: a migration is applied on top of the squash, or the
    original bears another label than the squash, as of an app that has moved. Sorted.
    """
    halved, covered, proven = dict[Key, set[str]](), set[Key](), set[Key]()
    for squash in manifest.squashes:
        originals = manifest.originals[squash]
        if squash in graph.nodes or squash in rows:
            covered |= originals
        if squash not in graph.nodes and 0 < len(originals & rows) < len(originals):
            for key in originals - rows - graph.nodes:
                halved.setdefault(key, set()).add(app_of(squash))
            if not (rows | applied).isdisjoint(_find_dependents(manifest, squash)):
                proven |= originals
    return {
        key: key in proven or app_of(key) not in halved[key]
        for key in sorted(halved.keys() - covered)
    }


def _find_dependents(manifest: Manifest, squash: Key) -> set[Key]:
    """Return what depends on a squash, directly or not, before any replacement."""
    children: dict[Key, list[Key]] = {}
    for key, node in manifest.nodes.items():
        for parent in node.dependencies:
            children.setdefault(parent, []).append(key)
    found: set[Key] = set()
    todo = [squash]
    while todo:
        new = set(children.get(todo.pop(), ())) - found
        found |= new
        todo += new
    return found
