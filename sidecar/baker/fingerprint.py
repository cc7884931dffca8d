"""The digest of a migration's code, the same for every version of Python."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .graph import Key
    from .loader import Loader

IGNORED_FIELDS = ("ctx", "kind", "type_comment", "type_ignores", "type_params")
"""What `ast` notes of a node besides its code, or not in every version."""


def compute_fingerprint(loader: Loader, key: Key) -> str | None:
    """Return the digest of a migration's syntax tree, or None if its source is not there.

    Formatting, comments and docstrings do not count.
    """
    source = find_source(f"{loader.migrations_module(key[0])[0]}.{key[1]}")
    if source is None:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they were given when the file was imported
            # Built from the tree and not by ast.dump, whose text differs by Python version.
            text = repr(reduce_tree(ast.parse(source)))
    except RecursionError:
        return None
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def find_source(module: str) -> str | None:
    """Return the source of a module; an extension module or a lone .pyc has none."""
    try:
        spec = importlib.util.find_spec(module)
        # A loader's own method, since an app may lie in a zip file.
        source: str | None = spec.loader.get_source(module)  # type: ignore[union-attr]
    except (ImportError, AttributeError, OSError):
        return None
    return source


def reduce_tree(node: object) -> object:
    """Return a syntax tree as tuples and lists, without docstrings and empty fields."""
    if isinstance(node, list):
        return [reduce_tree(item) for item in node if not is_docstring(item)]
    if not isinstance(node, ast.AST):
        return node
    fields = [
        (field, reduce_tree(value))
        for field, value in ast.iter_fields(node)
        if field not in IGNORED_FIELDS
    ]
    return (
        type(node).__name__,
        [(field, value) for field, value in fields if value not in (None, [])],
    )


def is_docstring(node: object) -> bool:
    """Return whether a statement is only a string."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
