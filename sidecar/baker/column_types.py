"""When the type of a column takes fewer or other values than before; to widen it breaks nothing."""

from __future__ import annotations

from operator import lt

from django.db.models import Field

STORED_AS = {
    "AutoField": "IntegerField",
    "BigAutoField": "BigIntegerField",
    "SmallAutoField": "SmallIntegerField",
    "FileField": "CharField",
    "FilePathField": "CharField",
    "SlugField": "CharField",
}
"""Fields with the column of another."""

WIDER = {
    "CharField": ("TextField",),
    "SmallIntegerField": ("IntegerField", "BigIntegerField"),
    "IntegerField": ("BigIntegerField",),
    "PositiveSmallIntegerField": (
        "PositiveIntegerField",
        "PositiveBigIntegerField",
        "SmallIntegerField",
        "IntegerField",
        "BigIntegerField",
    ),
    "PositiveIntegerField": ("PositiveBigIntegerField", "IntegerField", "BigIntegerField"),
    "PositiveBigIntegerField": ("BigIntegerField",),
}
"""Fields whose columns take every value that the column of the first takes."""


def describe_new_type(column: str, old: Field, new: Field) -> str | None:
    """Return how the type of a column becomes another or narrower; None if it does not."""
    if old.is_relation or new.is_relation:
        return describe_new_relation(column, old, new)
    was, now = (STORED_AS.get(f.get_internal_type(), f.get_internal_type()) for f in (old, new))
    if was != now and now not in WIDER.get(was, ()):
        return f"changes the type of {column} from {type(old).__name__} to {type(new).__name__}"
    if now == "CharField" and get_max_length(new) < get_max_length(old):
        return f"shortens {column} from {get_max_length(old)} to {get_max_length(new)}"
    if now == "DecimalField" and any(map(lt, count_digits(new), count_digits(old))):
        return (
            f"narrows {column} from ({old.max_digits}, {old.decimal_places}) "
            f"to ({new.max_digits}, {new.decimal_places})"
        )
    return None


def describe_new_relation(column: str, old: Field, new: Field) -> str | None:
    """Return how a foreign key gets another target; otherwise its type is that of the target."""
    was, now = (str(f.is_relation and f.remote_field.model).lower() for f in (old, new))
    if old.is_relation and new.is_relation and was != now:
        return f"points {column} at {now} instead of {was}"
    return None


def get_max_length(field: Field) -> float:
    """Return `max_length`; infinity if there is none."""
    return float("inf") if field.max_length is None else field.max_length


def count_digits(field: Field) -> tuple[float, int]:
    """Return how many digits fit before the point and after it."""
    places = field.decimal_places or 0
    return (field.max_digits or float("inf")) - places, places
