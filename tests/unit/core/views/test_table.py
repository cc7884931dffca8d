"""The table of `sidecar check`: it fits, lists the worst first, and ends with what to do."""

import io
from typing import Any

import pytest

from factories import status
from sidecar.core.gate.database_status import DatabaseStatus, SchemaGroup
from sidecar.core.migrations.manifest import Manifest
from sidecar.core.reason import Reason
from sidecar.core.views.next_step import NEXT_STEPS, next_step
from sidecar.core.views.table import format_table, painter
from support.manifests import chain, manifest, node

LONG = "a_name_that_somebody_thought_would_explain_everything_" * 4
SHOP = manifest(
    *chain("shop", "0001", "0002", operations=["AddField order.total"]),
    node("shop.0003", "shop.0002", operations=["RunPython fill"], touches_data=True),
)
HOSTILE = manifest(
    node(f"{LONG[:60]}.{LONG}", operations=[f"AddField {LONG}"], breaks=[f"renames {LONG}"]),
    *chain("shop", *(f"{n:04}_{LONG[: n % 60]}" for n in range(99)), operations=["RunSQL " * 30]),
)


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


def plain(text: str, _: str) -> str:
    return text


def shop(*rows: str, of: Manifest = SHOP, **facts: Any) -> DatabaseStatus:
    return status(*rows, of=of, **facts)


def test_the_table_names_what_is_pending_and_what_it_does() -> None:
    """In plan order, with operations and risks; the last line is what to do."""
    target = shop("shop.0001", schema="public", last_applied=1_700_000_000.0)
    assert list(format_table([target], SHOP, plain)) == [
        f"release 1.0, manifest {SHOP.digest[:19]}",
        "DATABASE  SCHEMA  STATE   APPLIED  LAST MIGRATED",
        "default   public  behind  1 of 3   2023-11-14 22:13:20Z",
        "",
        "#  PENDING    WHAT IT DOES",
        "1  shop.0002  AddField order.total",
        "2  shop.0003  RunPython fill",
        "      ! changes data, for as long as that takes",
        "",
        "schema_behind: 2 pending, next shop.0002",
        "next: apply the migrations: python manage.py migrate",
    ]


@pytest.mark.parametrize(
    "target",
    [
        shop(of=HOSTILE),
        shop(f"other.{LONG}", *(f"shop.9{n}" for n in range(20)), "x.1\x1b[2J", of=HOSTILE),
        shop("shop.0002_a", of=HOSTILE),
        status(database="d" * 70, schema="s" * 63, failure=Reason.DATABASE_DENIED, message=LONG),
        DatabaseStatus(database="default", groups=(SchemaGroup(),)),
    ],
)
def test_it_always_fits_80_columns(target: DatabaseStatus) -> None:
    """However long the names are; nothing that a database holds can control the terminal."""
    text = list(format_table([target], HOSTILE, plain))
    assert max(map(len, text)) <= 80
    assert text[-1].startswith("next: ")
    assert "\x1b" not in "".join(text)


def test_what_to_do_next_is_one_line() -> None:
    """Every advice fits 80 columns."""
    assert max(len(f"next: {next_step(reason, ())}") for reason in NEXT_STEPS) <= 80


def test_of_many_schemas_the_worst_come_first() -> None:
    """A few are shown, the rest counted; what to do is about the worst."""
    good = [shop(*(f"shop.000{n}" for n in (1, 2, 3)), schema=f"t{n}") for n in range(1000)]
    text = list(format_table([*good, shop("shop.0002", schema="bad")], SHOP, plain))
    assert text[2].startswith("default   bad     inconsistent")
    assert "and 991 current" in text
    assert "refused  shop.0002 is applied before shop.0001" in text
    assert text[-1] == f"next: {NEXT_STEPS[Reason.HISTORY_INCONSISTENT]}"
    assert len(text) < 40


def test_colours_are_for_terminals() -> None:
    """Only a terminal gets them, and only one that can, for people who want them."""
    coloured = "\033[31mbehind\033[0m"
    assert painter(Terminal(), {})("behind", "31") == coloured
    assert painter(io.StringIO(), {})("behind", "31") == "behind"
    for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert painter(Terminal(), environment)("behind", "31") == "behind"
    assert coloured in "\n".join(format_table([shop()], SHOP, painter(Terminal(), {})))
