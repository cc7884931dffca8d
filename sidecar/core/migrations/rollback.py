"""The way back: the `manage.py migrate` commands that undo what a deploy has run."""

import msgspec

from sidecar.core.migrations.compare import compare
from sidecar.core.migrations.diff import rows_after
from sidecar.core.migrations.graph import GraphBuilder, ReplacedGraph
from sidecar.core.migrations.manifest import Key, Manifest, app_of

ZERO = "zero"


class Rollback(msgspec.Struct, frozen=True):
    """Commands in order, as (app, migration to go back to or "zero"); what cannot be undone."""

    commands: tuple[tuple[str, str], ...] = ()
    irreversible: tuple[Key, ...] = ()


def rollback(new: Manifest, old: Manifest) -> Rollback:
    """Return how a database that `new` has migrated goes back to where `old` left it.

    The commands are for the code of `new`, which alone knows how to undo its migrations.
    Going back in one app takes what depends on it along, so a later command may find
    nothing left to do.
    """
    rows = rows_after(old)
    steps = compare(new, rows).plan
    graph, _ = GraphBuilder(new).build(frozenset(rows))
    apps = dict.fromkeys(app_of(key) for key in reversed(steps))
    undone = frozenset(steps)
    return Rollback(
        commands=tuple((app, _last_before(graph, app, undone)) for app in apps),
        irreversible=tuple(key for key in steps if not new.nodes[key].reversible),
    )


def _last_before(graph: ReplacedGraph, app: str, undone: frozenset[Key]) -> str:
    """Return the last migration of an app that stays, which is what Django goes back to."""
    stays = {key for key in graph.nodes if app_of(key) == app and key not in undone}
    last = sorted(key for key in stays if not graph.children[key] & stays)
    return last[-1].partition(".")[2] if last else ZERO
