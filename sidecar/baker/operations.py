"""What is known of an operation of a migration by itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.db.migrations import RunPython, RunSQL
from django.db.migrations.operations.base import Operation


def flatten(operations: Iterable[Operation]) -> Iterator[Operation]:
    """Yield operations, those inside SeparateDatabaseAndState that reach the database included."""
    for operation in operations:
        inner = getattr(operation, "database_operations", None)
        if inner is None:
            yield operation
        else:
            yield from flatten(inner)


def describe_operation(operation: Operation) -> str:
    """Return an operation's class and its subject, such as `AddField product.sku`."""
    kind = type(operation).__name__
    inner = getattr(operation, "database_operations", None)
    if inner is not None:
        return f"{kind}({', '.join(map(describe_operation, inner)) or 'state only'})"
    subject = [getattr(operation, "model_name", None)]
    if getattr(operation, "new_name", None):
        old = getattr(operation, "old_name", None)  # an index may have had none
        subject.append(f"{old or '?'} -> {operation.new_name}")
    else:
        thing = getattr(operation, "index", None) or getattr(operation, "constraint", None)
        code = getattr(operation, "code", None)
        subject.append(getattr(thing, "name", None) or getattr(operation, "name", None))
        subject.append(getattr(code, "__name__", None))
    return " ".join([kind, ".".join(str(part) for part in subject if part)]).rstrip()


def touches_data(operation: Operation) -> bool:
    """Return whether code or SQL of the project's runs; what it does cannot be known."""
    if isinstance(operation, RunPython):
        return operation.code is not RunPython.noop
    return isinstance(operation, RunSQL) and operation.sql != RunSQL.noop


def is_reversible(operation: Operation) -> bool:
    """Return whether Django can undo it; one irreversible operation inside another is enough."""
    inner = getattr(operation, "database_operations", None) or []
    return bool(operation.reversible) and all(map(is_reversible, inner))
