"""Compare the recorded migrations with the expected ones, as Django's `migrate` would.

The questions are those of `migrate --check`, in its order: does the graph build, is the
history consistent, are there conflicts, is the plan empty
(django/core/management/commands/migrate.py). One is ours: is a migration *hidden*,
unapplied and overlooked, because Django does not go below an applied leaf?
"""

from collections import Counter
from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import NoReturn

import msgspec

from sidecar.core.migrations.graph import ReplacedGraph, replaced_graph
from sidecar.core.migrations.manifest import Key, Manifest, Squashing, app_of
from sidecar.core.migrations.unknown_rows import sort_unknown_rows
from sidecar.errors import ManifestError


class Outcome(StrEnum):
    """What a set of recorded migrations means for this manifest."""

    CURRENT = "current"
    AHEAD = "ahead"
    BEHIND = "behind"
    INCONSISTENT = "inconsistent"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known about one set of rows. Names are keys; the plan is in Django's order."""

    outcome: Outcome
    expected: dict[str, int] = {}
    """Required migrations by app; for each, `expected` = applied + pending + hidden."""
    pending: tuple[Key, ...] = ()
    """Required and not satisfied, in plan order."""
    plan: tuple[Key, ...] = ()
    """What Django's `migrate` would run."""
    inconsistent: tuple[tuple[Key, Key], ...] = ()
    """(applied, its dependency that is not)."""
    conflicts: tuple[tuple[Key, ...], ...] = ()
    graph_error: str | None = None
    hidden: tuple[Key, ...] = ()
    lost: tuple[Key, ...] = ()
    unrecorded: tuple[Key, ...] = ()
    optional_pending: tuple[Key, ...] = ()
    newer: tuple[Key, ...] = ()
    leftover: tuple[Key, ...] = ()
    foreign: tuple[Key, ...] = ()
    duplicates: int = 0
    pruned: bool = False

    def __bool__(self) -> NoReturn:
        """A verdict is no yes or no: whether it opens the gate is the gate's decision."""
        raise TypeError("a Verdict has no truth value; compare its outcome")


def compare(
    manifest: Manifest,
    recorded: Sequence[Key],
    optional: Sequence[str] = (),
    accept: Collection[str] = (),
) -> Verdict:
    """Return the verdict on the recorded migrations, given in the order of their ids.

    `optional` are patterns (`analytics.*`, `shop.0042_*`) of migrations that need not
    precede traffic, besides those baked into the manifest; one that a required migration
    needs is required all the same. `accept` names hidden migrations known to be harmless.
    An absent table is an empty sequence.
    """
    rows = set(recorded)
    graph, applied = replaced_graph(manifest, rows)
    newer, leftover, foreign = sort_unknown_rows(manifest, recorded, rows)
    verdict = Verdict(
        outcome=Outcome.INCONSISTENT,
        graph_error=graph.error,
        conflicts=graph.conflicts,
        duplicates=len(recorded) - len(rows),
        newer=newer,
        leftover=leftover,
        foreign=foreign,
    )
    if graph.error:
        return verdict
    patterns = (*manifest.optional, *optional)
    verdict = _with_migrations(verdict, manifest, graph, rows, graph.nodes - applied, patterns)
    return msgspec.structs.replace(verdict, outcome=_outcome(verdict, accept))


def _with_migrations(
    verdict: Verdict,
    manifest: Manifest,
    graph: ReplacedGraph,
    rows: AbstractSet[Key],
    unapplied: frozenset[Key],
    patterns: tuple[str, ...],
) -> Verdict:
    """Return the verdict with every migration of the graph in its place."""
    required, expected = _required(graph, patterns)
    plan = _plan(graph, unapplied)
    overlooked = _hidden(manifest, rows, unapplied.difference(plan))
    pending = tuple(key for key in plan if key in required)
    hidden = tuple(key for key in overlooked if key in required)
    return msgspec.structs.replace(
        verdict,
        expected=expected,
        pending=pending,
        plan=plan,
        inconsistent=_violations(manifest, graph, rows),
        hidden=hidden,
        unrecorded=tuple(
            key
            for key in manifest.squashes
            if key not in rows and _is_satisfied(manifest, key, rows)
        ),
        lost=_lost(manifest, graph, rows),
        optional_pending=tuple(key for key in (*plan, *overlooked) if key not in required),
        pruned=bool(pending) and all(_is_pruned(manifest, key, rows) for key in pending),
    )


def _outcome(verdict: Verdict, accept: Collection[str]) -> Outcome:
    hidden = any(key not in accept for key in verdict.hidden)
    if verdict.inconsistent or verdict.conflicts or hidden:
        return Outcome.INCONSISTENT
    if verdict.pending:
        return Outcome.BEHIND
    return Outcome.AHEAD if verdict.newer else Outcome.CURRENT


def check(manifest: Manifest) -> None:
    """Raise ManifestError for a graph that Django refuses already on an empty database."""
    graph, _ = replaced_graph(manifest, frozenset())
    if not manifest.nodes:
        raise ManifestError("the manifest holds no migrations; bake it with the right settings")
    if graph.error:
        raise ManifestError(f"{graph.error}; bake the manifest again")
    for group in graph.conflicts:
        raise ManifestError(
            f"conflicting migrations: {', '.join(group)} are all the last of their app; "
            "merge them (manage.py makemigrations --merge) and bake again"
        )


def _plan(graph: ReplacedGraph, unapplied: AbstractSet[Key]) -> tuple[Key, ...]:
    """Return what `migrate` would run, in its order: an applied leaf hides its ancestors."""
    plan: list[Key] = []
    visited: set[Key] = set()
    for leaf in graph.leaves:
        if leaf not in unapplied or leaf in visited:
            continue
        stack = [(leaf, False)]
        while stack:
            key, finished = stack.pop()
            if finished:
                if key in unapplied:
                    plan.append(key)
            elif key not in visited:
                visited.add(key)
                stack.append((key, True))
                stack += [(parent, False) for parent in sorted(graph.parents[key])]
    return tuple(plan)


def _violations(
    manifest: Manifest, graph: ReplacedGraph, rows: AbstractSet[Key]
) -> tuple[tuple[Key, Key], ...]:
    """Return every (applied, unapplied dependency) that `check_consistent_history` refuses."""
    return tuple(
        sorted(
            (child, parent)
            for parent in graph.nodes - rows
            if not _is_satisfied(manifest, parent, rows)
            for child in graph.children[parent]
            if child in rows
        )
    )


def _is_satisfied(manifest: Manifest, key: Key, rows: AbstractSet[Key]) -> bool:
    """Return whether a squash is as good as recorded: all that it replaces has rows."""
    recursive = manifest.squashing is Squashing.RECURSIVE
    return key in manifest.squashes and all(
        original in rows or (recursive and _is_satisfied(manifest, original, rows))
        for original in manifest.squashes[key]
    )


def _hidden(manifest: Manifest, rows: AbstractSet[Key], overlooked: AbstractSet[Key]) -> list[Key]:
    return sorted(key for key in overlooked if not (key in manifest.squashes and key in rows))


def _lost(manifest: Manifest, graph: ReplacedGraph, rows: AbstractSet[Key]) -> tuple[Key, ...]:
    """Return originals without a row that only half-applied squashes could still stand for."""
    halved, covered = set[Key](), set[Key]()
    for squash in manifest.squashes:
        originals = manifest.originals[squash]
        if squash in graph.nodes or squash in rows:
            covered |= originals
        if squash not in graph.nodes and 0 < len(originals & rows) < len(originals):
            halved |= originals
    return tuple(sorted(halved - covered - rows - graph.nodes))


def _is_pruned(manifest: Manifest, key: Key, rows: AbstractSet[Key]) -> bool:
    return key in rows and key in manifest.squashes and rows.isdisjoint(manifest.originals[key])


@lru_cache(maxsize=4)
def _required(
    graph: ReplacedGraph, optional: tuple[str, ...]
) -> tuple[frozenset[Key], dict[str, int]]:
    """Return what must precede traffic, with counts by app.

    That is all but the optional, and whatever it depends on.
    """
    required = {
        key for key in graph.nodes if not any(fnmatchcase(key, pattern) for pattern in optional)
    }
    todo = list(required)
    while todo:
        new = graph.parents[todo.pop()] - required
        required |= new
        todo += new
    return frozenset(required), dict(sorted(Counter(map(app_of, required)).items()))
