"""Manifests for tests, written as a few words a migration."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from sidecar.core.migrations.manifest import Key, Manifest, decode


def node(migration: str, *dependencies: str, **facts: Any) -> dict[str, Any]:
    """Return one migration as the manifest's JSON has it."""
    return {"migration": migration, "dependencies": list(dependencies), **facts}


def encode(
    *nodes: Mapping[str, Any],
    squashing: str = "flat",
    missing: Sequence[Mapping[str, Any]] = (),
    optional: Sequence[str] = (),
    head: Mapping[str, Any] | None = None,
    apps: Sequence[str] | None = None,
) -> bytes:
    """Return the bytes of a manifest with these migrations, digest and all."""
    labels = list(dict.fromkeys(str(n["migration"]).partition(".")[0] for n in nodes))
    graph = {
        "squashing": squashing,
        "apps": labels if apps is None else list(apps),
        "optional": list(optional),
        "missing": list(missing),
        "migrations": list(nodes),
    }
    body = json.dumps(graph)
    digest = "sha256:" + hashlib.sha256(body.encode()).hexdigest()
    file = {"format": 1, "digest": digest, "django": "5.2", "release": "1.0", **(head or {})}
    return f'{json.dumps(file)[:-1]},"graph":{body}}}'.encode()


def manifest(*nodes: Mapping[str, Any], **options: Any) -> Manifest:
    """Return the decoded manifest with these migrations."""
    return decode(encode(*nodes, **options))


def chain(app: str, *names: str, **facts: Any) -> list[dict[str, Any]]:
    """Return migrations of one app, each depending on the one before."""
    keys = [f"{app}.{name}" for name in names]
    return [node(key, *keys[max(at - 1, 0) : at], **facts) for at, key in enumerate(keys)]


def keys(*names: str) -> list[Key]:
    """Return names as keys."""
    return [Key(name) for name in names]
