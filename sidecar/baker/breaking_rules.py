"""What each of Django's operations breaks, as lines for people."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from django.db.migrations.operations.base import Operation
from django.db.models import Field

from .column_types import describe_new_type
from .table import Table, has_default, needs_value


def check_delete_model(_operation: Operation, table: Table) -> Iterator[str]:
    """DeleteModel: its table goes."""
    yield f"removes the table of {table.label}"


def check_rename_model(operation: Operation, table: Table) -> Iterator[str]:
    """RenameModel: the table is renamed, unless `db_table` names it or only the case changes."""
    if not table.options.get("db_table") and operation.old_name_lower != operation.new_name_lower:
        yield f"renames the table of {table.label}"


def check_alter_model_table(operation: Operation, table: Table) -> Iterator[str]:
    """AlterModelTable: the table is renamed, unless it already has that name."""
    if (operation.table or table.label.replace(".", "_", 1)) != table.name:
        yield f"renames the table of {table.label}"


def check_remove_field(operation: Operation, table: Table) -> Iterator[str]:
    """RemoveField: its column or its table goes."""
    field = table.fields[operation.name]
    if table.is_new(operation.name):
        return
    if table.find_link(field, operation.name):
        yield f"removes the table of {table.label}.{operation.name} (many to many)"
    elif column := table.find_column(field, operation.name):
        yield f"removes the column {column}"


def check_rename_field(operation: Operation, table: Table) -> Iterator[str]:
    """RenameField: its column or its table is renamed, unless `db_column` names it."""
    old, new = operation.old_name, operation.new_name
    field = table.fields[old]
    if table.is_new(old):
        return
    if table.find_link(field, old) != table.find_link(field, new):
        yield f"renames the table of {table.label}.{old} (many to many)"
    elif table.find_column(field, old) != table.find_column(field, new):
        yield f"renames the column {table.find_column(field, old)}"


def check_add_field(operation: Operation, table: Table) -> Iterator[str]:
    """AddField: INSERTs of code that does not know the column fail if it needs a value."""
    column = table.find_column(operation.field, operation.name)
    if column and needs_value(operation.field):
        yield f"adds the column {column}, NOT NULL without a database default"


def check_alter_field(operation: Operation, table: Table) -> Iterator[str]:
    """AlterField: the column is renamed, or takes fewer or other values than before."""
    old, new = table.fields[operation.name], operation.field
    before, after = (table.find_column(field, operation.name) for field in (old, new))
    if table.find_link(old, operation.name) != table.find_link(new, operation.name):
        yield f"renames the table of {table.label}.{operation.name} (many to many)"
    elif before and table.is_new(operation.name):
        if needs_value(new) and not needs_value(old):
            yield f"adds the column {before}, NOT NULL without a database default"
    elif before and after:
        yield from check_column(before, old, new)
        if before != after:
            yield f"renames the column {before}"


def check_column(column: str, old: Field, new: Field) -> Iterator[str]:
    """Yield what a column no longer takes."""
    if changed := describe_new_type(column, old, new):
        yield changed
    if old.null and not new.null:
        yield f"forbids NULL in {column}"
    elif not new.null and has_default(old) and not has_default(new):
        yield f"removes the database default of {column}, which is NOT NULL"
    if new.unique and not old.unique:
        yield f"makes {column} unique"


def check_add_constraint(operation: Operation, table: Table) -> Iterator[str]:
    """AddConstraint: running code may write what the constraint forbids."""
    yield f"adds the constraint {operation.constraint.name} to {table.label}"


def check_alter_unique_together(operation: Operation, table: Table) -> Iterator[str]:
    """AlterUniqueTogether: each set of fields that was not unique before."""
    before = set(table.options.get("unique_together") or ())
    for fields in sorted(set(operation.unique_together or ()) - before):
        yield f"makes {', '.join(fields)} of {table.label} unique together"


def check_alter_order_with_respect_to(operation: Operation, table: Table) -> Iterator[str]:
    """AlterOrderWithRespectTo: the column `_order` comes or goes."""
    before, after = table.options.get("order_with_respect_to"), operation.order_with_respect_to
    if after and not before:
        yield f"adds the column {table.label}._order, NOT NULL without a database default"
    if before and not after:
        yield f"removes the column {table.label}._order"


RULES: dict[str, Callable[[Operation, Table], Iterator[str]]] = {
    "DeleteModel": check_delete_model,
    "RenameModel": check_rename_model,
    "AlterModelTable": check_alter_model_table,
    "RemoveField": check_remove_field,
    "RenameField": check_rename_field,
    "AddField": check_add_field,
    "AlterField": check_alter_field,
    "AddConstraint": check_add_constraint,
    "AlterUniqueTogether": check_alter_unique_together,
    "AlterOrderWithRespectTo": check_alter_order_with_respect_to,
}
"""By the class of Django's operation; any other breaks nothing that is certain."""
