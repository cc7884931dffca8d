"""The table of `sidecar check`: it fits, says the worst first, and ends with what to do."""

import io
from typing import Any

import pytest

from sidecar.core.gate.snapshot import Target
from sidecar.core.migrations.compare import compare
from sidecar.core.reason import Reason
from sidecar.core.views.table import lines, painter
from sidecar.core.views.text import NEXT, next_step
from support.manifests import chain, keys, manifest, node

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
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def plain(text: str, _: str) -> str:
    return text


def seen(*rows: str, of: Any = SHOP, **facts: Any) -> Target:
    return Target(database="default", verdict=compare(of, keys(*rows)), **facts)


def test_the_table_names_what_is_pending_and_what_it_does() -> None:
    """In plan order, with operations and risks; the last line says what to do."""
    target = seen("shop.0001", schema="public", last_applied=1_700_000_000.0)
    assert list(lines([target], SHOP, plain)) == [
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
        seen(of=HOSTILE),
        seen(f"other.{LONG}", *(f"shop.9{n}" for n in range(20)), "x.1\x1b[2J", of=HOSTILE),
        seen("shop.0002_a", of=HOSTILE),
        Target(database="d" * 70, schema="s" * 63, failure=Reason.DATABASE_DENIED, message=LONG),
        Target(database="default"),
    ],
)
def test_it_always_fits_80_columns(target: Target) -> None:
    """However long the names are; nothing that a database holds can command the terminal."""
    told = list(lines([target], HOSTILE, plain))
    assert max(map(len, told)) <= 80
    assert told[-1].startswith("next: ")
    assert "\x1b" not in "".join(told)


def test_what_to_do_next_is_one_line() -> None:
    """Every advice fits 80 columns."""
    assert max(len(f"next: {next_step(reason, ())}") for reason in NEXT) <= 80


def test_of_many_schemas_the_worst_come_first() -> None:
    """A few are shown, the rest counted; what to do is about the worst."""
    good = [seen(*(f"shop.000{n}" for n in (1, 2, 3)), schema=f"t{n}") for n in range(1000)]
    told = list(lines([*good, seen("shop.0002", schema="bad")], SHOP, plain))
    assert told[2].startswith("default   bad     inconsistent")
    assert "and 991 current" in told
    assert "refused  shop.0002 is applied before shop.0001" in told
    assert told[-1] == f"next: {NEXT[Reason.HISTORY_INCONSISTENT]}"
    assert len(told) < 40


def test_colours_are_for_terminals() -> None:
    """Only a terminal gets them, and only one that can, for people who want them."""
    coloured = "\033[31mbehind\033[0m"
    assert painter(Terminal(), {})("behind", "31") == coloured
    assert painter(io.StringIO(), {})("behind", "31") == "behind"
    for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert painter(Terminal(), environment)("behind", "31") == "behind"
    assert coloured in "\n".join(lines([seen()], SHOP, painter(Terminal(), {})))
