"""Baking as a plain folder or archive, on every Python and Django that is supported."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from integration.bake.environments import PAIRS, Pair, base
from integration.bake.projects import Baked, Project, alone, packed
from sidecar.core.migrations.compare import check
from sidecar.core.migrations.manifest import Squashing, decode
from support.project import APP, REPOSITORY

pytestmark = pytest.mark.pythons

Way = Callable[[Path], Path]

OWN = ("accounts", "catalog", "orders")
PAIR = pytest.mark.parametrize("pair", PAIRS, ids=str)


def bake_example(pair: Pair, project: Project, tmp_path: Path, way: Way = alone) -> Baked:
    command = (pair.interpreter(), way(tmp_path / "mounted"))
    return project.bake(command=command, cwd=APP, settings="storefront.settings")


def own(baked: Baked) -> list[dict[str, Any]]:
    return [row for name, row in baked.rows.items() if name.partition(".")[0] in OWN]


@PAIR
@pytest.mark.parametrize("way", [alone, packed])
def test_bakes_with_nothing_of_ours(
    pair: Pair, way: Way, project: Project, tmp_path: Path, baked: Path
) -> None:
    """What is copied bakes what the sidecar accepts; the project's own rows never differ."""
    found = bake_example(pair, project, tmp_path, way)
    manifest = decode(found.written)
    check(manifest)
    assert manifest.django.startswith(f"{pair.django}.")
    recursive = pair.django >= "6.0"
    assert manifest.squashing is (Squashing.RECURSIVE if recursive else Squashing.FLAT)
    reference = Baked(0, "", baked.read_bytes())
    assert own(found) == own(reference)


SYNTAX = r'''
"""Syntax whose tree, or whose printed tree, has changed between versions of Python."""
from __future__ import annotations
import re
from django.db import migrations
wide = 9
text = lambda: f"{wide!r:>{wide}} {wide=} {'a' 'b'} \N{EN DASH} {re:{wide}%H}" "old" u"new"
pattern = re.compile(r"\d+[\]]"), b"\x00", 1_000, 1e400, 2j, ..., -0.0, None, True
class Migration(migrations.Migration, metaclass=type):
    """A docstring."""
    x: int | None = None
    def value(self, /, *rest: int, key: str = "k", **more) -> "int":
        """Another,
           indented."""
        global wide
        return [a for a, *b in zip(rest, rest) if (n := a) > 1], rest[1:2, ..., ::3]
async def wait():
    async with a as b, c: await d
    try: yield
    except (ValueError, KeyError) as error: raise error from None
'''


def test_the_python_does_not_show(project: Project, tmp_path: Path) -> None:
    """Two versions of Python with one Django write the same bytes, whatever the syntax."""
    project.settings("shop")
    project.app("shop", m0001_initial=SYNTAX)
    copy = alone(tmp_path / "mounted")
    found = [
        project.bake(command=(pair.interpreter(), copy))
        for pair in (Pair("3.10", "5.2"), Pair("3.13", "5.2"))
    ]
    assert found[0].rows["shop.0001_initial"]["ast"].startswith("sha256:")
    assert found[0].written == found[1].written


@PAIR
def test_pins_name_no_host(pair: Pair) -> None:
    """The pinned requirements hold names, versions and hashes, and no place to get them from."""
    text = (REPOSITORY / "requirements" / "bake" / f"django-{pair.django}.txt").read_text()
    assert "://" not in text
    assert "index-url" not in text
    assert "--hash=sha256:" in text


def test_the_digest_of_an_image_is_of_its_django(project: Project, tmp_path: Path) -> None:
    """How squashes of squashes resolve is part of what decides, so the digests differ."""
    old, new = (bake_example(pair, project, tmp_path / str(n)) for n, pair in enumerate(PAIRS[1:3]))
    assert json.loads(old.written)["digest"] != json.loads(new.written)["digest"]


def test_a_missing_python_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a version is not installed the skip names it; REQUIRE_ALL=1 makes that a failure."""
    monkeypatch.delenv("REQUIRE_ALL", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"install Python 2\.0 "):
        base("2.0")
    monkeypatch.setenv("REQUIRE_ALL", "1")
    with pytest.raises(pytest.fail.Exception, match=r"install Python 2\.0 "):
        base("2.0")
