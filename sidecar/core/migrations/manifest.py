"""The manifest: the migrations that an image expects, as bytes and as a validated value.

`sidecar bake` writes it (`sidecar/baker/`); everything at run time starts from it. Its graph is
the one *before* Django replaces squashed migrations, because what replaces what depends
on the recorded rows. The digest covers the graph's bytes as they stand in the file.
"""

import hashlib
from collections.abc import Iterator
from enum import StrEnum
from typing import NewType, TypeVar

import msgspec

from sidecar.errors import ManifestError

FORMAT = 1
DUMMY = "django.db.backends.dummy"

T = TypeVar("T")

Key = NewType("Key", str)
"""A migration's full name, `app.name`.

An app label is a Python identifier (Django's AppConfig insists), and every character of
one sorts after the dot, so keys sort exactly as Django's (app, name) tuples do.
"""


def app_of(key: Key) -> str:
    """Return the app label of a key."""
    return key.partition(".")[0]


class Squashing(StrEnum):
    """How Django resolves squashes of squashes: flat below 6.0, recursive from 6.0."""

    FLAT = "flat"
    RECURSIVE = "recursive"


class Node(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One migration file: what it needs, what it stands for, and facts for people."""

    migration: Key
    dependencies: tuple[Key, ...] = ()
    replaces: tuple[Key, ...] = ()
    operations: tuple[str, ...] = ()
    ast: str | None = None
    atomic: bool = True
    reversible: bool = True
    touches_data: bool = False
    breaks: tuple[str, ...] = ()


class Missing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A name that migrations depend on and no file defines; a squash may stand for it."""

    migration: Key
    wanted_by: Key
    dependencies: tuple[Key, ...] = ()


class _Graph(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    squashing: Squashing
    apps: tuple[str, ...]
    migrations: tuple[Node, ...]
    missing: tuple[Missing, ...] = ()
    optional: tuple[str, ...] = ()


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: int
    digest: str
    django: str
    graph: msgspec.Raw
    release: str | None = None
    settings: str | None = None
    installed_apps: str | None = None
    databases: dict[str, str] = {}


class _Format(msgspec.Struct):
    format: int


class Manifest(msgspec.Struct, frozen=True, eq=False):
    """The expected migrations, in disk order: apps as installed, names sorted in each."""

    digest: str
    django: str
    release: str | None
    squashing: Squashing
    apps: tuple[str, ...]
    nodes: dict[Key, Node]
    missing: dict[Key, Missing]
    optional: tuple[str, ...]
    databases: tuple[str, ...]
    """The aliases of Django's DATABASES, but those that are no database."""
    squashes: dict[Key, tuple[Key, ...]]
    """What each squash replaces, as written."""
    originals: dict[Key, frozenset[Key]]
    """What each squash stands for, through the squashes that it replaces."""
    known: frozenset[Key]
    """Every name a row may have without being a surprise."""


def decode(data: bytes) -> Manifest:
    """Return the manifest that these bytes hold.

    Raises ManifestError, with one line about what is wrong and where.
    """
    if not data.strip():
        raise ManifestError("the manifest is empty; bake it again")
    found = _decode(data, _Format, "$").format
    if found != FORMAT:
        raise ManifestError(
            f"the manifest has format {found}, this sidecar reads format {FORMAT}; "
            "bake it with the same version of migration-sidecar"
        )
    file = _decode(data, _File, "$")
    graph = _decode(bytes(file.graph), _Graph, "$.graph")
    digest = "sha256:" + hashlib.sha256(file.graph).hexdigest()
    if digest != file.digest:
        raise ManifestError(
            "the manifest was changed after it was baked (its digest does not match); bake it again"
        )
    for problem in _problems(graph):
        raise ManifestError(f"{problem}; bake it again")
    return _manifest(file, graph)


def _decode(data: bytes, kind: type[T], path: str) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        text = str(error).replace("`$", f"`{path}")
        raise ManifestError(f"the manifest cannot be read: {text}; bake it again") from None


def _problems(graph: _Graph) -> Iterator[str]:
    """Yield what no graph of Django's can have."""
    seen: set[Key] = set()
    apps = set(graph.apps)
    entries: list[Node | Missing] = [*graph.migrations, *graph.missing]
    for entry in entries:
        key = entry.migration
        if not all(key.partition(".")):
            yield f"{key!r} is not the name of a migration (app.name)"
        if key in seen:
            yield f"{key} stands in the manifest twice"
        seen.add(key)
    for node in graph.migrations:
        if app_of(node.migration) not in apps:
            yield f"{node.migration} belongs to an app that the manifest does not list"
        if node.migration in node.replaces:
            yield f"{node.migration} replaces itself"
    for entry in entries:
        for parent in entry.dependencies:
            if parent not in seen:
                yield f"{entry.migration} depends on {parent}, which is not in the manifest"


def _manifest(file: _File, graph: _Graph) -> Manifest:
    nodes = {node.migration: node for node in graph.migrations}
    missing = {entry.migration: entry for entry in graph.missing}
    squashes = {key: node.replaces for key, node in nodes.items() if node.replaces}
    return Manifest(
        digest=file.digest,
        django=file.django,
        release=file.release,
        squashing=graph.squashing,
        apps=graph.apps,
        nodes=nodes,
        missing=missing,
        optional=graph.optional,
        databases=tuple(name for name, engine in file.databases.items() if engine != DUMMY),
        squashes=squashes,
        originals={key: _originals(squashes, key) for key in squashes},
        known=frozenset(nodes).union(missing, *squashes.values()),
    )


def _originals(squashes: dict[Key, tuple[Key, ...]], squash: Key) -> frozenset[Key]:
    found: set[Key] = set()
    seen = {squash}
    todo = list(squashes[squash])
    while todo:
        key = todo.pop()
        if key not in squashes:
            found.add(key)
        elif key not in seen:
            seen.add(key)
            todo += squashes[key]
    return frozenset(found)
