"""Why one migration counts as it does."""

import pytest

from sidecar.core.migrations.explain import explain
from sidecar.core.migrations.manifest import Key, Manifest
from support.manifests import chain, keys, manifest, node

SQUASHED = manifest(
    *chain("a", "0001", "0002", "0003"),
    node("a.s", replaces=["a.0001", "a.0002"]),
)
GAP = manifest(
    *chain("a", "0001", "0002", "0003"), node("a.s", "a.0001", replaces=["a.0002", "a.0003"])
)
LOST = manifest(node("a.s", replaces=["a.0001", "a.0002"]), node("a.0003", "a.s"))


@pytest.mark.parametrize(
    ("of", "rows", "key", "status"),
    [
        (SQUASHED, ("a.0001", "a.0002", "a.s", "a.0003"), "a.0003", "applied"),
        (SQUASHED, ("a.0001", "a.0002"), "a.s", "applied through what it replaces"),
        (SQUASHED, (), "a.0003", "pending (2 of 2 in the plan)"),
        (SQUASHED, (), "a.0001", "replaced, not recorded"),
        (SQUASHED, ("a.0001", "a.0002"), "a.0001", "recorded, and replaced"),
        (SQUASHED, ("a.0001",), "a.s", "set aside: only 1 of the 2 that it replaces are recorded"),
        (SQUASHED, ("a.0003", "a.s"), "a.s", "recorded, though not all that it replaces is"),
        (GAP, ("a.0002", "a.0003"), "a.0001", "hidden: not applied, and overlooked by"),
        (LOST, ("a.0001",), "a.0002", "lost: its row and its file are gone, and nothing shows"),
        (LOST, ("a.0001", "a.0003"), "a.0002", "lost, but harmless: its app has moved, or a"),
        (SQUASHED, (), "a.0004", "unknown to the manifest; did you mean a.000"),
        (SQUASHED, (), "x", "unknown to the manifest"),
    ],
)  # fmt: skip
def test_the_first_line_is_what_it_counts_as(
    of: Manifest, rows: tuple[str, ...], key: str, status: str
) -> None:
    """Applied, pending, replaced, set aside, hidden, lost or unknown, and by what."""
    first = explain(of, keys(*rows), Key(key))[0]
    assert first.startswith(f"{key} is {status}")


def test_every_edge_has_the_status_of_its_other_end() -> None:
    """What it depends on, what needs it, what replaces it and what it replaces."""
    assert explain(SQUASHED, keys("a.0001"), Key("a.0002")) == [
        "a.0002 is pending (1 of 2 in the plan)",
        "  its row: none",
        "  replaced by a.s, which is set aside: only 1 of the 2 that it replaces are recorded",
        "  depends on a.0001: applied",
        "  needed by a.0003: pending (2 of 2 in the plan)",
    ]
    assert explain(SQUASHED, keys("a.0001", "a.0002"), Key("a.s"))[2:4] == [
        "  replaces a.0001: recorded, and replaced",
        "  replaces a.0002: recorded, and replaced",
    ]


def test_hidden_names_the_applied_migrations_that_hide_it() -> None:
    """The nearest applied ones above it, through others that are hidden too."""
    deep = manifest(
        *chain("a", "0001", "0002", "0003", "0004"),
        node("a.s", "a.0002", replaces=["a.0003", "a.0004"]),
    )
    (first, *_) = explain(deep, keys("a.0003", "a.0004"), Key("a.0001"))
    assert first.endswith("below the applied a.s")


def test_optional_ones_are_marked() -> None:
    """A pending migration that need not precede traffic is described as such."""
    (first, *_) = explain(SQUASHED, [], Key("a.0003"), optional=["a.*"])
    assert first == "a.0003 is pending (2 of 2 in the plan, optional)"


def test_a_graph_that_these_rows_break_is_explained() -> None:
    """Where Django refuses there are no edges, only rows and the reason."""
    broken = manifest(
        node("a.0003", "a.0002"),
        node("a.s", replaces=["a.0001", "a.0002"]),
        missing=[{"migration": "a.0002", "wanted_by": "a.0003"}],
    )
    lines = explain(broken, keys("a.0001"), Key("a.0001"))
    assert lines[0] == "a.0001 is recorded"
    assert "Django would refuse these rows: a.0003 depends on a.0002" in lines[2]
    assert explain(broken, keys("a.0001"), Key("a.0003"))[0] == "a.0003 is not recorded"
