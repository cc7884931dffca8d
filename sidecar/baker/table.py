"""A model's table and its columns, as the database has them."""

from __future__ import annotations

from django.db import models
from django.db.migrations.state import ModelState

NewNames = set[tuple[str, ...]]
"""What a migration has made so far: (model,) for a table, (model, field) for a column."""


class Table:
    """The table of a model as it is before an operation."""

    def __init__(self, model: ModelState, new: NewNames) -> None:
        """Read the model; `new` is what the same migration has made."""
        self.label = f"{model.app_label}.{model.name_lower}"
        self.options = model.options
        self.fields = model.fields
        self.name = model.options.get("db_table") or self.label.replace(".", "_", 1)
        self._new = {names[1] for names in new if names[0] == model.name_lower and names[1:]}

    def is_new(self, field: str) -> bool:
        """Return whether the same migration has added this field."""
        return field in self._new

    def find_column(self, field: models.Field, name: str) -> str | None:
        """Return `app.model.column` of a field; None if it has no column."""
        if field.many_to_many:
            return None
        bound = field.clone()
        bound.set_attributes_from_name(name)
        return f"{self.label}.{bound.column}" if bound.column else None

    def find_link(self, field: models.Field, name: str) -> str | None:
        """Return the table that Django makes for a many-to-many field, if it makes one."""
        made = field.many_to_many and field.remote_field.through is None
        return (field.db_table or f"{self.name}_{name}") if made else None


def needs_value(field: models.Field) -> bool:
    """Return whether an INSERT that does not name the column must fail."""
    generated = getattr(field, "generated", False) or isinstance(field, models.AutoField)
    return not (field.null or generated or has_default(field))


def has_default(field: models.Field) -> bool:
    """Return whether the column has a default in the database (`db_default`, Django 5.0)."""
    return getattr(field, "db_default", models.NOT_PROVIDED) is not models.NOT_PROVIDED
