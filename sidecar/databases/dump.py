"""Read recorded migrations from a dump instead of a database: JSON, or CSV as `psql --csv` writes.

JSON is an array of "app.name", of [app, name], or of objects with app and name; CSV has a
header with app and name. Rows are ordered by id where there is one, else as they stand.
"""

import csv
import io
import sys
from pathlib import Path

import msgspec

from sidecar.core.migrations.manifest import Key, format_key
from sidecar.core.migrations.recorded import Recorded
from sidecar.errors import UsageError

Row = tuple[int, Key]


class Dump:
    """A file of rows, or standard input; read once."""

    def __init__(self, name: str) -> None:
        """Take the file's name; `-` is standard input."""
        self._name = name

    async def read(self) -> Recorded:
        """Return what the file holds. Raises UsageError, which names the place in it."""
        text = self._read_text()
        try:
            rows = _parse_json(text) if text.lstrip()[:1] in {"[", "{"} else _parse_csv(text)
        except (ValueError, csv.Error) as error:
            raise UsageError(f"{self._name}: {error}") from None
        ordered = sorted(rows, key=lambda row: row[0])
        return Recorded("\n".join(key for _, key in ordered), note=f"read from {self._name}")

    async def release(self) -> None:
        """Nothing is held."""

    def _read_text(self) -> str:
        try:
            if self._name == "-":
                return "" if sys.stdin is None else sys.stdin.read()
            return Path(self._name).read_text(encoding="utf-8-sig")
        except OSError as error:
            raise UsageError(f"{self._name}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise UsageError(f"{self._name}: is neither JSON nor CSV in UTF-8") from None


class _Object(msgspec.Struct):
    app: str
    name: str
    id: int = 0


def _parse_json(text: str) -> list[Row]:
    try:
        found = msgspec.json.decode(text, type=list[str | list[str] | dict[str, object]])
        return [_parse_row(entry) for entry in found]
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise ValueError(f"cannot be read as rows: {error}") from None


def _parse_row(entry: str | list[str] | dict[str, object]) -> Row:
    match entry:
        case str() if all(entry.partition(".")):
            return 0, format_key(*entry.split(".", 1))
        case [str() as app, str() as name]:
            return 0, format_key(app, name)
        case dict():
            row = msgspec.convert(entry, _Object)
            return row.id, format_key(row.app, row.name)
        case _:
            raise ValueError(f"{entry!r} is no row; expected app.name, [app, name] or an object")


def _parse_csv(text: str) -> list[Row]:
    reader = csv.DictReader(io.StringIO(text))
    header = set(reader.fieldnames or ())
    if not {"app", "name"} <= header:
        raise ValueError("has no header with app and name; write it with psql --csv")
    rows = []
    for record in reader:
        app, name, number = record["app"], record["name"], record.get("id") or "0"
        if not (app and name and number.isdigit()):
            raise ValueError(f"line {reader.line_num}: expected app, name and a number as id")
        rows.append((int(number), format_key(app, name)))
    return rows
