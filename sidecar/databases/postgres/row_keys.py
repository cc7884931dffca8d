"""The SQL for the keys of rows, as `format_key` makes them."""

from typing import Final

_ESCAPED = r"replace(replace({column}, E'\\', E'\\\\'), E'\n', E'\\n')"

KEY: Final = (
    f"replace({_ESCAPED.format(column='app')}, '.', E'\\\\.') || '.' || "
    f"{_ESCAPED.format(column='name')}"
)
"""The key of one row; no other pair of texts has it."""

KEYS: Final = f"string_agg({KEY}, E'\\n' ORDER BY id)"
"""The keys of all rows in the order of their ids, one a line; null where there are none."""
