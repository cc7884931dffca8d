"""Two manifests: what a deploy from the old one to the new one will do.

Judgements about single migrations were made while baking; here they are only gathered.
What RunPython and RunSQL do cannot be judged, which the step states.
"""

import msgspec

from sidecar.core.migrations.compare import compare
from sidecar.core.migrations.manifest import Key, Manifest, Node, app_of


class Step(msgspec.Struct, frozen=True):
    """One migration that the deploy will run."""

    migration: Key
    operations: tuple[str, ...]
    breaks: tuple[str, ...]
    """What it takes from the code that runs now."""
    reversible: bool
    touches_data: bool
    atomic: bool

    @property
    def risks(self) -> tuple[str, ...]:
        """What an operator should know before it runs, in a few words each."""
        known = {
            "cannot be rolled back": not self.reversible,
            "changes data, for as long as that takes": self.touches_data,
            "not atomic: half of it can stay": not self.atomic,
        }
        return (*self.breaks, *(text for text, holds in known.items() if holds))


class Diff(msgspec.Struct, frozen=True, kw_only=True):
    """What lies between two releases; steps stand in the order in which migrate runs them."""

    old: str
    new: str
    steps: tuple[Step, ...] = ()
    refused: tuple[str, ...] = ()
    """Why Django would refuse to migrate from the old release to the new one."""
    edited: tuple[Key, ...] = ()
    """In both, with other code: databases that have applied it will not notice."""
    renamed: tuple[tuple[Key, Key], ...] = ()
    """The same code under another name: it would run a second time."""
    removed: tuple[Key, ...] = ()
    """In the old one, and neither a file nor replaced by a squash in the new one."""

    @property
    def breaking(self) -> tuple[Step, ...]:
        """The steps that will likely break the old code while it still serves."""
        return tuple(step for step in self.steps if step.breaks)

    @property
    def irreversible(self) -> tuple[Step, ...]:
        """The steps that a rollback cannot undo."""
        return tuple(step for step in self.steps if not step.reversible)


def diff(old: Manifest, new: Manifest) -> Diff:
    """Return what a deploy does to a database that the old release has fully migrated."""
    verdict = compare(new, rows_after(old))
    refused = [verdict.graph_error] if verdict.graph_error else []
    refused += [
        f"{child} is applied before its dependency {parent}"
        for child, parent in verdict.inconsistent
    ]
    refused += [f"conflict between {' and '.join(group)}" for group in verdict.conflicts]
    refused += [f"{key} would be overlooked by migrate" for key in (*verdict.hidden, *verdict.lost)]
    gone = [key for key in old.nodes if key not in new.known]
    renamed = _renamed(old, new, gone)
    return Diff(
        old=_name(old),
        new=_name(new),
        steps=steps([new.nodes[key] for key in verdict.plan]),
        refused=tuple(refused),
        edited=tuple(key for key in old.nodes if _edited(old.nodes[key], new.nodes.get(key))),
        renamed=renamed,
        removed=tuple(key for key in gone if key not in {before for before, _ in renamed}),
    )


def _name(manifest: Manifest) -> str:
    return manifest.release or manifest.digest[: len("sha256:") + 12]


def rows_after(manifest: Manifest) -> list[Key]:
    """Return the rows of a database on which this release has migrated from nothing."""
    rows = dict.fromkeys(manifest.nodes)
    for replaced in manifest.squashes.values():
        rows.update(dict.fromkeys(replaced))
    return list(rows)


def steps(nodes: list[Node]) -> tuple[Step, ...]:
    """Return what will run; the code that runs now cannot miss what this deploy itself makes."""
    made = {
        f"{app_of(node.migration)}.{operation.removeprefix('CreateModel ').lower()}"
        for node in nodes
        for operation in node.operations
        if operation.startswith("CreateModel ")
    }
    return tuple(
        Step(
            node.migration,
            node.operations,
            tuple(what for what in node.breaks if not _is_about(what, made)),
            node.reversible,
            node.touches_data,
            node.atomic,
        )
        for node in nodes
    )


def _is_about(what: str, models: set[str]) -> bool:
    """Return whether a judgement is about one of these tables: it names `app.model[.column]`."""
    words = (word.strip(",").split(".") for word in what.split())
    return any(".".join(word[:2]) in models for word in words)


def _edited(before: Node, after: Node | None) -> bool:
    return after is not None and None not in {before.ast, after.ast} and before.ast != after.ast


def _renamed(old: Manifest, new: Manifest, gone: list[Key]) -> tuple[tuple[Key, Key], ...]:
    """Pair what is gone with what is new in the same app and has the same code."""
    fresh = {
        (app_of(key), node.ast): key
        for key, node in new.nodes.items()
        if key not in old.known and node.ast is not None
    }
    pairs = []
    for key in gone:
        ast = old.nodes[key].ast
        if ast is not None and (app_of(key), ast) in fresh:
            pairs.append((key, fresh[app_of(key), ast]))
    return tuple(pairs)
