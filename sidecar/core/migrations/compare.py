"""Compare the recorded migrations with the expected ones, as Django's `migrate` would.

The questions are those of `migrate --check`, in its order: does the graph build, is the
history consistent, are there conflicts, is the plan empty
(django/core/management/commands/migrate.py). One is ours: is a migration *hidden* or
*lost*, unapplied and overlooked by Django?
"""

from collections import Counter
from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import NoReturn

import msgspec

from sidecar.core.migrations.graph import GraphBuilder, ReplacedGraph
from sidecar.core.migrations.manifest import Key, Manifest, Squashing, app_of
from sidecar.core.migrations.overlooked import find_hidden, find_lost
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
    """Originals of half-applied squashes, without row and file; nothing shows them applied."""
    lost_harmless: tuple[Key, ...] = ()
    """The same, but optional, under a later migration that is applied, or of an old app label."""
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


class Comparer:
    """Compares recorded migrations with one manifest, and keeps what depends on it alone."""

    def __init__(
        self, manifest: Manifest, optional: Sequence[str] = (), accept: Collection[str] = ()
    ) -> None:
        """Take the manifest, and which of its migrations do not count.

        `optional` are patterns (`analytics.*`, `shop.0042_*`) of migrations that need not
        precede traffic, besides those baked into the manifest; one that a required migration
        needs is required all the same. `accept` names hidden or lost migrations known to be
        harmless.
        """
        self._manifest = manifest
        self._accept = frozenset(accept)
        self._graphs = GraphBuilder(manifest)
        self._patterns = (*manifest.optional, *optional)
        self._required_of = lru_cache(maxsize=4)(self._find_required)

    def compare(self, recorded: Sequence[Key]) -> Verdict:
        """Return the verdict on the recorded migrations, given in the order of their ids.

        An absent table is an empty sequence.
        """
        rows = set(recorded)
        graph, applied = self._graphs.build(rows)
        newer, leftover, foreign = sort_unknown_rows(self._manifest, recorded, rows)
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
        verdict = self._with_migrations(verdict, graph, rows, applied)
        return msgspec.structs.replace(verdict, outcome=_choose_outcome(verdict, self._accept))

    def _with_migrations(
        self,
        verdict: Verdict,
        graph: ReplacedGraph,
        rows: AbstractSet[Key],
        applied: AbstractSet[Key],
    ) -> Verdict:
        """Return the verdict with every migration of the graph in its place."""
        manifest = self._manifest
        required, expected = self._required_of(graph)
        unapplied = graph.nodes - applied
        plan = _plan(graph, unapplied)
        overlooked = find_hidden(manifest, rows, unapplied.difference(plan))
        lost = find_lost(manifest, graph, rows, applied)
        harmless = {key for key in lost if lost[key] or self._is_optional(key)}
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
            lost=tuple(key for key in lost if key not in harmless),
            lost_harmless=tuple(key for key in lost if key in harmless),
            optional_pending=tuple(key for key in (*plan, *overlooked) if key not in required),
            pruned=bool(pending) and all(_is_pruned(manifest, key, rows) for key in pending),
        )

    def _find_required(self, graph: ReplacedGraph) -> tuple[frozenset[Key], dict[str, int]]:
        """Return what must precede traffic, with counts by app.

        That is all but the optional, and whatever it depends on.
        """
        required = {key for key in graph.nodes if not self._is_optional(key)}
        todo = list(required)
        while todo:
            new = graph.parents[todo.pop()] - required
            required |= new
            todo += new
        return frozenset(required), dict(sorted(Counter(map(app_of, required)).items()))

    def _is_optional(self, key: Key) -> bool:
        return any(fnmatchcase(key, pattern) for pattern in self._patterns)


def compare(
    manifest: Manifest,
    recorded: Sequence[Key],
    optional: Sequence[str] = (),
    accept: Collection[str] = (),
) -> Verdict:
    """Return one verdict; see `Comparer`, which many from one manifest are asked of."""
    return Comparer(manifest, optional, accept).compare(recorded)


def _choose_outcome(verdict: Verdict, accept: frozenset[str]) -> Outcome:
    overlooked = not accept.issuperset((*verdict.hidden, *verdict.lost))
    if verdict.inconsistent or verdict.conflicts or overlooked:
        return Outcome.INCONSISTENT
    if verdict.pending:
        return Outcome.BEHIND
    return Outcome.AHEAD if verdict.newer else Outcome.CURRENT


def check(manifest: Manifest) -> None:
    """Raise ManifestError for a graph that Django refuses already on an empty database."""
    graph, _ = GraphBuilder(manifest).build(frozenset())
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


def _is_pruned(manifest: Manifest, key: Key, rows: AbstractSet[Key]) -> bool:
    return key in rows and key in manifest.squashes and rows.isdisjoint(manifest.originals[key])
