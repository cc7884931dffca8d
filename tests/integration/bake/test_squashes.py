"""Squashed migrations: what is baked of them, and which warnings are printed."""

from pathlib import Path

import pytest

from integration.bake.environments import PAIRS, Pair
from integration.bake.projects import Baked, Project, alone, migration
from sidecar.core.migrations.compare import check
from sidecar.core.migrations.manifest import decode

AddField = "migrations.AddField('item', '{}', models.IntegerField(default=0))"
CREATE = "migrations.CreateModel('Item', [('id', models.BigAutoField(primary_key=True)){}])"
NOT_NULL = "adds the column shop.item.{}, NOT NULL without a database default"


def key(*names: str) -> list[tuple[str, str]]:
    return [("shop", name) for name in names]


def chain(project: Project, *deleted: str) -> None:
    """Write 0001 to 0004, and a squash of 0002 and 0003; some files are deleted again."""
    project.settings("shop")
    project.app(
        "shop",
        m0001_a=migration(operations=CREATE.format("")),
        m0002_b=migration(*key("0001_a"), operations=AddField.format("b")),
        m0002_squashed_0003_c=migration(
            *key("0001_a"),
            replaces=key("0002_b", "0003_c"),
            operations=f"{AddField.format('b')}, {AddField.format('c')}",
        ),
        m0003_c=migration(*key("0002_b"), operations=AddField.format("c")),
        m0004_d=migration(*key("0003_c"), operations="migrations.RemoveField('item', 'c')"),
    )
    for name in deleted:
        (project.folder / f"shop/migrations/{name}.py").unlink()


def test_a_squash_and_its_originals(project: Project) -> None:
    """Both are baked, with the edges as written, and both are judged."""
    chain(project)
    rows = project.bake("--no-model-check").rows
    assert rows["shop.0002_squashed_0003_c"]["replaces"] == ["shop.0002_b", "shop.0003_c"]
    assert rows["shop.0004_d"]["dependencies"] == ["shop.0003_c"]
    assert rows["shop.0002_b"]["breaks"] == [NOT_NULL.format("b")]
    assert rows["shop.0003_c"]["breaks"] == [NOT_NULL.format("c")]
    assert rows["shop.0002_squashed_0003_c"]["breaks"] == [
        NOT_NULL.format("b"),
        NOT_NULL.format("c"),
    ]


def test_deleted_originals(project: Project) -> None:
    """A name that only a squash stands for is kept as missing, with who wants it."""
    chain(project, "0002_b", "0003_c")
    baked = project.bake("--no-model-check")
    assert baked.document["graph"]["missing"] == [
        {"migration": "shop.0003_c", "wanted_by": "shop.0004_d", "dependencies": []}
    ]
    assert baked.rows["shop.0004_d"]["breaks"] == ["removes the column shop.item.c"]
    check(decode(baked.written))


def test_half_deleted_originals(project: Project) -> None:
    """Of an original whose predecessors are deleted, nothing false is claimed."""
    chain(project, "0002_b")
    rows = project.bake("--no-model-check").rows
    assert "breaks" not in rows["shop.0003_c"]
    assert rows["shop.0004_d"]["breaks"] == ["removes the column shop.item.c"]


def test_originals_that_wait_for_each_other(project: Project) -> None:
    """A cycle that only half-way databases would meet does not stop the bake, nor hang it."""
    project.settings("shop")
    project.app(
        "shop",
        m0001_a=migration(*key("0002_b")),
        m0001_squashed_0002_b=migration(replaces=key("0001_a", "0002_b")),
        m0002_b=migration(*key("0001_a")),
    )
    check(decode(project.bake().written))


def nested(project: Project) -> None:
    """Write a squash of a squash; its name sorts after the inner one's, which works below 6.0."""
    project.settings("shop")
    project.app(
        "shop",
        m0001_a=migration(operations=CREATE.format("")),
        m0002_b=migration(*key("0001_a"), operations=AddField.format("b")),
        m0003_c=migration(*key("0002_b"), operations=AddField.format("c")),
        m0001_inner=migration(
            replaces=key("0001_a", "0002_b"),
            operations=f"{CREATE.format('')}, {AddField.format('b')}",
        ),
        m0001_outer=migration(
            replaces=key("0001_inner", "0003_c"),
            operations=f"{CREATE.format('')}, {AddField.format('b')}, {AddField.format('c')}",
        ),
    )


def overlapping(project: Project) -> None:
    """Write two squashes that share an original."""
    nested(project)
    project.write(
        "shop/migrations/0001_outer.py",
        migration(
            *key("0001_inner"), replaces=key("0002_b", "0003_c"), operations=AddField.format("c")
        ),
    )


def bake_on(pair: Pair, project: Project, tmp_path: Path, **variables: str) -> Baked:
    command = (pair.interpreter(), alone(tmp_path / "mounted"))
    return project.bake("--no-model-check", command=command, variables=variables)


@pytest.mark.pythons
@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_nested_squashes(pair: Pair, project: Project, tmp_path: Path) -> None:
    """Below Django 6.0 a squash of a squash has no defined outcome: both are named."""
    nested(project)
    found = [bake_on(pair, project, tmp_path, PYTHONHASHSEED=seed) for seed in "123"]
    assert len({baked.written for baked in found}) == 1
    check(decode(found[0].written))
    warning = (
        "bake: warning: shop.0001_outer replaces the squash shop.0001_inner: before Django 6.0 "
        "the outcome depends on the order in which files are found; sorted order is taken"
    )
    assert (warning in found[0].stderr) is (pair.django < "6.0")
    rows = found[0].rows
    assert rows["shop.0002_b"]["breaks"] == [NOT_NULL.format("b")]
    assert rows["shop.0003_c"]["breaks"] == [NOT_NULL.format("c")]


@pytest.mark.pythons
@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_nested_squashes_in_the_wrong_order(pair: Pair, project: Project, tmp_path: Path) -> None:
    """Where sorted order does not work below 6.0, the refusal comes with the warning."""
    nested(project)
    folder = project.folder / "shop/migrations"
    text = (folder / "0001_outer.py").read_text()
    (folder / "0001_outer.py").unlink()
    (folder / "0001_before.py").write_text(text)
    baked = bake_on(pair, project, tmp_path)
    if pair.django >= "6.0":
        check(decode(baked.written))
    else:
        assert "Unable to find replacement node ('shop', '0001_inner')" in baked.line()
        assert "warning: shop.0001_before replaces the squash shop.0001_inner" in baked.stderr


@pytest.mark.pythons
@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_overlapping_squashes(pair: Pair, project: Project, tmp_path: Path) -> None:
    """Below Django 6.1 squashes that share an original have no defined outcome: both are named."""
    overlapping(project)
    baked = bake_on(pair, project, tmp_path)
    warning = (
        "bake: warning: shop.0001_inner and shop.0001_outer replace some of the same migrations: "
        "before Django 6.1 the outcome depends on the order in which files are found; "
        "sorted order is taken"
    )
    assert (warning in baked.stderr) is (pair.django < "6.1")


@pytest.mark.pythons
@pytest.mark.parametrize("pair", [PAIRS[1], PAIRS[3]], ids=str)
def test_squashes_that_replace_each_other(pair: Pair, project: Project, tmp_path: Path) -> None:
    """A cycle of replacements is refused on every Django."""
    nested(project)
    text = migration(replaces=key("0001_outer"))
    project.write("shop/migrations/0001_inner.py", text)
    assert bake_on(pair, project, tmp_path).line().startswith("refused: ")
