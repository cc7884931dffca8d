"""Why one migration counts as it does: its rows, its squashes, its edges."""

from collections.abc import Iterator, Sequence

from sidecar.core.migrations.compare import Verdict, compare
from sidecar.core.migrations.graph import GraphBuilder, ReplacedGraph
from sidecar.core.migrations.manifest import Key, Manifest
from sidecar.errors import did_you_mean


def explain(
    manifest: Manifest, recorded: Sequence[Key], key: Key, optional: Sequence[str] = ()
) -> list[str]:
    """Return lines about why a migration is applied, pending, hidden, replaced or lost."""
    return list(_Explanation(manifest, recorded, optional).lines(key))


class _Explanation:
    def __init__(
        self, manifest: Manifest, recorded: Sequence[Key], optional: Sequence[str]
    ) -> None:
        self.manifest = manifest
        self.rows = frozenset(recorded)
        self.verdict: Verdict = compare(manifest, recorded, optional)
        self.graph: ReplacedGraph
        self.graph, self.applied = GraphBuilder(manifest).build(self.rows)

    def lines(self, key: Key) -> Iterator[str]:
        yield f"{key} is {self.status(key)}"
        yield f"  its row: {'recorded' if key in self.rows else 'none'}"
        if self.graph.error:
            yield f"  Django would refuse these rows: {self.graph.error}"
            return
        for squash, replaced in self.manifest.squashes.items():
            if key in replaced:
                yield f"  replaced by {squash}, which is {self.status(squash)}"
        if key in self.manifest.squashes:
            for original in self.manifest.squashes[key]:
                yield f"  replaces {original}: {self.status(original)}"
        for parent in sorted(self.graph.parents.get(key, ())):
            yield f"  depends on {parent}: {self.status(parent)}"
        for child in sorted(self.graph.children.get(key, ())):
            yield f"  needed by {child}: {self.status(child)}"

    def status(self, key: Key) -> str:
        """Return what a name counts as, and why, in a few words."""
        if key not in self.manifest.known:
            return f"unknown to the manifest{did_you_mean(key, self.manifest.known)}"
        if self.graph.error:
            return "recorded" if key in self.rows else "not recorded"
        if key not in self.graph.nodes:
            return self._outside(key)
        if key in self.applied:
            return "applied" if key in self.rows else "applied through what it replaces"
        if key in self.verdict.plan:
            place = f"{self.verdict.plan.index(key) + 1} of {len(self.verdict.plan)} in the plan"
            optional = ", optional" if key in self.verdict.optional_pending else ""
            return f"pending ({place}{optional})"
        if key in self.rows:
            return "recorded, though not all that it replaces is; Django overlooks it"
        leaves = ", ".join(sorted(self._applied_above(key)))
        return f"hidden: not applied, and overlooked by Django below the applied {leaves}"

    def _outside(self, key: Key) -> str:
        """Explain a name that is no node of the graph."""
        if key in self.manifest.squashes and not self._replaced_by_a_node(key):
            recorded = sum(original in self.rows for original in self.manifest.originals[key])
            total = len(self.manifest.originals[key])
            return f"set aside: only {recorded} of the {total} that it replaces are recorded"
        if key in self.verdict.lost:
            return "lost: its row and its file are gone, and nothing shows that it was applied"
        if key in self.verdict.lost_harmless:
            return "lost, but harmless: its app has moved, or a migration above it is applied"
        if key in self.rows:
            return "recorded, and replaced"
        return "replaced, not recorded"

    def _replaced_by_a_node(self, key: Key) -> bool:
        squashes = self.manifest.squashes
        return any(
            key in replaced and squash in self.graph.nodes for squash, replaced in squashes.items()
        )

    def _applied_above(self, key: Key) -> set[Key]:
        """Return the nearest applied migrations that depend on this one."""
        found: set[Key] = set()
        todo, seen = [key], {key}
        while todo:
            for child in self.graph.children[todo.pop()] - seen:
                seen.add(child)
                if child in self.applied:
                    found.add(child)
                else:
                    todo.append(child)
        return found
