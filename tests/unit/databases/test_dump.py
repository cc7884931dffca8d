"""Rows from a dump instead of a database."""

import io
import sys
from pathlib import Path

import pytest

from sidecar.databases.dump import Dump
from sidecar.errors import UsageError


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ('["a.0001", "a.0002"]', ["a.0001", "a.0002"]),
        ('[["a", "0001"], ["b", "0001"]]', ["a.0001", "b.0001"]),
        (
            '[{"app": "a", "name": "2", "id": 9}, {"app": "a", "name": "1", "id": 3}]',
            ["a.1", "a.2"],
        ),
        ("[]", []),
        ("id,app,name,applied\n2,a,0002,x\n1,a,0001,y\n", ["a.0001", "a.0002"]),
        ('app,name\na,"x,\ny"\n', ["a.x,\\ny"]),
        ("\ufeffapp,name\na,0001\n", ["a.0001"]),
        ("app,name\n", []),
    ],
)
async def test_json_and_csv_are_read_in_the_order_of_ids(
    tmp_path: Path, text: str, keys: list[str]
) -> None:
    """Psql --csv, dumpdata-like objects, pairs and plain names all work."""
    file = tmp_path / "rows"
    file.write_text(text, encoding="utf-8")
    found = await Dump(str(file)).read()
    assert "\n".join(keys) == found.text


async def test_standard_input_is_a_dump_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """`psql --csv -c ... | sidecar check --applied -` needs no file."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("app,name\na,0001\n"))
    assert (await Dump("-").read()).keys() == ["a.0001"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "has no header with app and name"),
        (b"a,b\n1,2\n", "has no header with app and name"),
        (b"app,name\na\n", "line 2: expected app, name and a number as id"),
        (b"id,app,name\nx,a,1\n", "line 2: expected app, name and a number as id"),
        (b"[1]", "cannot be read as rows"),
        (b'["a"]', "'a' is no row"),
        (b'[["a"]]', "is no row"),
        (b'[{"app": "a"}]', "cannot be read as rows"),
        (b"[", "cannot be read as rows"),
        (b"app,name\na," + b"x" * 200_000, "field larger than field limit"),
        (b"\xff\xfe\x00", "is neither JSON nor CSV in UTF-8"),
    ],
)
async def test_what_cannot_be_read_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    """One line with the file's name, and the place where there is one."""
    file = tmp_path / "rows"
    file.write_bytes(data)
    with pytest.raises(UsageError, match="rows: ") as caught:
        await Dump(str(file)).read()
    assert message in str(caught.value)
    with pytest.raises(UsageError, match="No such file"):
        await Dump(str(tmp_path / "none")).read()
