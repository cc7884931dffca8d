"""The verdict: what rows mean for a manifest."""

from typing import Any

import pytest

from sidecar.core.migrations.compare import Outcome, Verdict, compare
from sidecar.core.migrations.manifest import Manifest
from support.manifests import chain, keys, manifest, node

SHOP = manifest(
    *chain("auth", "0001", "0002"),
    node("shop.0001", "auth.0002"),
    node("shop.0002", "shop.0001"),
    node("shop.0003", "shop.0002"),
    apps=["auth", "shop", "empty"],
)
ALL = ("auth.0001", "auth.0002", "shop.0001", "shop.0002", "shop.0003")

SQUASHED = manifest(
    *chain("a", "0001", "0002", "0003"),
    node("a.s", replaces=["a.0001", "a.0002"]),
)


def verdict(of: Manifest, *rows: str, **options: Any) -> Verdict:
    return compare(of, keys(*rows), **options)


def test_current_when_every_migration_has_a_row() -> None:
    """All rows, in any order, and nothing else is current."""
    found = verdict(SHOP, *reversed(ALL))
    assert found.outcome is Outcome.CURRENT
    assert found.expected == {"auth": 2, "shop": 3}
    assert (found.pending, found.plan, found.hidden) == ((), (), ())


def test_an_empty_table_is_behind_by_the_whole_plan() -> None:
    """Without rows everything is pending, dependencies first."""
    found = verdict(SHOP)
    assert found.outcome is Outcome.BEHIND
    assert found.pending == found.plan == ALL


def test_pending_is_named_and_not_counted() -> None:
    """A foreign row in the place of a missing one does not make up for it."""
    found = verdict(SHOP, *ALL[:-1], "blog.0001")
    assert found.outcome is Outcome.BEHIND
    assert found.pending == ("shop.0003",)
    assert found.foreign == ("blog.0001",)


def test_history_is_inconsistent_when_a_dependency_has_no_row() -> None:
    """Every applied migration whose dependency is not applied is named with it."""
    found = verdict(SHOP, "auth.0001", "shop.0001", "shop.0003")
    assert found.outcome is Outcome.INCONSISTENT
    assert found.inconsistent == (("shop.0001", "auth.0002"), ("shop.0003", "shop.0002"))


@pytest.mark.parametrize(
    ("rows", "kinds"),
    [
        ((*ALL, "shop.0004"), {"newer": ("shop.0004",)}),
        (("shop.0000_old", *ALL), {"leftover": ("shop.0000_old",)}),
        (("empty.0001", *ALL), {"leftover": ("empty.0001",)}),
        ((*ALL, "empty.0001"), {"newer": ("empty.0001",)}),
        (
            (*ALL[:2], "shop.x", *ALL[2:], "blog.1", "shop.y"),
            {"leftover": ("shop.x",), "foreign": ("blog.1",), "newer": ("shop.y",)},
        ),
    ],
)
def test_unknown_rows_are_sorted_by_when_they_came(
    rows: tuple[str, ...], kinds: dict[str, tuple[str, ...]]
) -> None:
    """After the app's last known row they are newer, before it leftover, elsewhere foreign."""
    found = verdict(SHOP, *rows)
    unknown = {kind: getattr(found, kind) for kind in ("newer", "leftover", "foreign")}
    assert {kind: names for kind, names in unknown.items() if names} == kinds
    assert found.outcome is (Outcome.AHEAD if "newer" in kinds else Outcome.CURRENT)


def test_duplicate_rows_are_counted_and_change_nothing() -> None:
    """There is no unique constraint on the table; a second row is reported only."""
    found = verdict(SHOP, *ALL, "shop.0001", "shop.0001")
    assert (found.outcome, found.duplicates) == (Outcome.CURRENT, 2)


def test_optional_migrations_do_not_count() -> None:
    """What a pattern names, baked or given, may come after traffic."""
    found = verdict(SHOP, *ALL[:-1], optional=["shop.0003*"])
    assert (found.outcome, found.optional_pending) == (Outcome.CURRENT, ("shop.0003",))
    assert found.expected == {"auth": 2, "shop": 2}
    baked = manifest(*chain("shop", "0001", "0002"), optional=["shop.0002"])
    assert verdict(baked, "shop.0001").outcome is Outcome.CURRENT


def test_optional_migrations_count_where_a_required_one_needs_them() -> None:
    """An optional migration below a required one is required, however far below."""
    found = verdict(SHOP, optional=["auth.*", "shop.0001", "shop.0003"])
    assert found.pending == ("auth.0001", "auth.0002", "shop.0001", "shop.0002")
    assert found.optional_pending == ("shop.0003",)


def test_a_squash_counts_as_applied_when_its_originals_are() -> None:
    """Rows of all originals satisfy a squash; its missing row is named."""
    found = verdict(SQUASHED, "a.0001", "a.0002", "a.0003")
    assert (found.outcome, found.unrecorded) == (Outcome.CURRENT, ("a.s",))
    assert verdict(SQUASHED, "a.0001", "a.0002", "a.s", "a.0003").unrecorded == ()


def test_a_squash_stands_for_its_originals_on_an_empty_table() -> None:
    """Without rows the squash is run, and its originals are not."""
    assert verdict(SQUASHED).plan == ("a.s", "a.0003")


def test_a_half_applied_squash_steps_aside() -> None:
    """With some originals applied, the others are run one by one."""
    assert verdict(SQUASHED, "a.0001").plan == ("a.0002", "a.0003")
    between = manifest(
        node("b.0001"),
        node("a.0001", "b.0001"),
        node("a.0002", "a.0001"),
        node("a.s", "b.0001", replaces=["a.0001", "a.0002"]),
        node("a.0003", "a.s"),
    )
    assert verdict(between, "b.0001", "a.0001").plan == ("a.0002", "a.0003")


def test_a_hidden_migration_is_inconsistent_and_named() -> None:
    """Django does not go below an applied leaf; we do, and name what it overlooks."""
    gap = manifest(
        node("a.0001"),
        *chain("a", "0002", "0003")[1:],
        node("a.0002", "a.0001"),
        node("a.s", "a.0001", replaces=["a.0002", "a.0003"]),
    )
    found = verdict(gap, "a.0002", "a.0003")
    assert (found.outcome, found.plan, found.hidden) == (Outcome.INCONSISTENT, (), ("a.0001",))
    accepted = verdict(gap, "a.0002", "a.0003", accept=["a.0001"])
    assert (accepted.outcome, accepted.hidden) == (Outcome.CURRENT, ("a.0001",))
    optional = verdict(gap, "a.0002", "a.0003", optional=["a.*"])
    assert (optional.outcome, optional.optional_pending) == (Outcome.CURRENT, ("a.0001",))


def test_a_lost_migration_is_inconsistent_unless_something_shows_it_applied() -> None:
    """Its file and its row are gone, half of its squash is applied, and Django is content."""
    squash = node("a.s", replaces=["a.0001", "a.0002"])
    found = verdict(manifest(squash), "a.0001")
    assert (found.outcome, found.plan, found.lost) == (Outcome.INCONSISTENT, (), ("a.0002",))
    assert verdict(manifest(squash), "a.0001", accept=["a.0002"]).outcome is Outcome.CURRENT
    optional = verdict(manifest(squash), "a.0001", optional=["a.*"])
    assert (optional.outcome, optional.lost_harmless) == (Outcome.CURRENT, ("a.0002",))


@pytest.mark.parametrize(
    ("later", "rows"),
    [
        ((node("a.0003", "a.s"),), ("a.0003",)),
        # Not by itself, and not in its own app.
        ((node("a.0003", "a.s"), node("b.0001", "a.0003")), ("a.0003", "b.0001")),
        # Through what it replaces.
        ((node("a.t", "a.s", replaces=["a.0003", "a.0004"]),), ("a.0003", "a.0004")),
    ],
)
def test_a_migration_applied_on_top_shows_that_a_lost_one_is_applied(
    later: tuple[dict[str, Any], ...], rows: tuple[str, ...]
) -> None:
    """Then it is named, and the gate may open."""
    of = manifest(node("a.s", replaces=["a.0001", "a.0002"]), *later)
    found = verdict(of, "a.0001", *rows)
    assert (found.outcome, found.lost_harmless) == (Outcome.CURRENT, ("a.0002",))


def test_an_old_label_of_an_app_that_has_moved_is_harmless() -> None:
    """A package lists it beside its new one, and no database has both."""
    moved = manifest(node("new.1", replaces=["older.1", "old.1"]))
    found = verdict(moved, "old.1")
    assert (found.outcome, found.lost_harmless) == (Outcome.CURRENT, ("older.1",))


def test_a_lost_migration_may_be_replaced_through_other_squashes() -> None:
    """The inner squash and the outer one have both stepped aside."""
    nested = manifest(
        node("a.s1", replaces=["a.0001", "a.0002"]),
        node("a.s2", replaces=["a.s1", "a.0003"]),
        squashing="recursive",
    )
    found = verdict(nested, "a.0001", "a.0003")
    assert (found.outcome, found.lost) == (Outcome.INCONSISTENT, ("a.0002",))


def test_a_pruned_squash_is_behind_with_a_flag() -> None:
    """A squash row whose originals' rows are pruned is pending by Django's rule, and marked."""
    leaf = manifest(*chain("a", "0001", "0002"), node("a.s", replaces=["a.0001", "a.0002"]))
    found = verdict(leaf, "a.s")
    assert (found.outcome, found.pruned, found.pending) == (Outcome.BEHIND, True, ("a.s",))
    assert verdict(leaf).pruned is False


def test_a_graph_that_the_rows_break_is_inconsistent() -> None:
    """A half-applied squash whose originals' files are gone leaves a dependency on nothing."""
    broken = manifest(
        node("a.0003", "a.0002"),
        node("a.s", replaces=["a.0001", "a.0002"]),
        missing=[{"migration": "a.0002", "wanted_by": "a.0003"}],
    )
    found = verdict(broken, "a.0001", "a.x")
    assert found.outcome is Outcome.INCONSISTENT
    assert found.graph_error is not None
    assert "a.0003 depends on a.0002, which no file defines (a.s cannot" in found.graph_error
    assert found.newer == ("a.x",)
    assert verdict(broken).outcome is Outcome.BEHIND


def test_a_conflict_that_the_rows_make_is_inconsistent() -> None:
    """Two leaves in one app are a conflict, also when only these rows bring them about."""
    forked = manifest(
        *chain("a", "0001", "0002"),
        node("a.s", replaces=["a.0001", "a.0002"]),
        node("a.0002b", "a.0001"),
    )
    found = verdict(forked, "a.0001")
    assert (found.outcome, found.conflicts) == (Outcome.INCONSISTENT, (("a.0002", "a.0002b"),))


def test_nested_squashes_follow_the_django_version() -> None:
    """Below 6.0 an outer squash asks for its inner one's row, from 6.0 for the originals'."""
    nodes = (
        node("a.0001"),
        node("b.inner", replaces=["a.0001"]),
        node("c.outer", replaces=["b.inner"]),
        node("c.0002", "c.outer"),
    )
    flat, recursive = manifest(*nodes), manifest(*nodes, squashing="recursive")
    assert verdict(flat).plan == verdict(recursive).plan == ("c.outer", "c.0002")
    assert verdict(flat, "a.0001", "c.0002").inconsistent == (("c.0002", "c.outer"),)
    assert verdict(recursive, "a.0001", "c.0002").outcome is Outcome.CURRENT
    assert verdict(flat, "a.0001").unrecorded == ("b.inner",)
    assert verdict(recursive, "a.0001").unrecorded == ("b.inner", "c.outer")


def test_a_verdict_is_no_truth_value() -> None:
    """`if verdict:` cannot be written: behind is not the only way not to be current."""
    with pytest.raises(TypeError):
        bool(verdict(SHOP))
