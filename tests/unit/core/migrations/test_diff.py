"""The difference between two releases."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sidecar.core.migrations.diff import diff
from support.manifests import chain, encode, manifest, node
from support.project import environment, sidecar

OLD = chain("shop", "0001", "0002", ast="sha256:same")


def nodes(*facts: dict[str, Any]) -> list[dict[str, Any]]:
    """Return OLD with one more migration for each of these facts."""
    added = [f"{number:04}" for number in range(3, 3 + len(facts))]
    new = chain("shop", "0001", "0002", *added, ast="sha256:same")
    return [{**entry, **fact} for entry, fact in zip(new, [{}, {}, *facts], strict=True)]


ADDED = nodes(
    {"ast": "sha256:3", "operations": ["AddField price.vat"], "breaks": ["adds the column vat"]},
    {
        "ast": "sha256:4",
        "operations": ["RunPython fill"],
        "touches_data": True,
        "reversible": False,
    },
    {"ast": "sha256:5", "operations": ["AddIndex price.vat"], "atomic": False},
)


def test_the_same_release_does_nothing() -> None:
    """Two equal manifests have no steps and no findings."""
    found = diff(manifest(*OLD), manifest(*OLD))
    assert (found.steps, found.refused, found.edited, found.removed) == ((), (), (), ())


def test_steps_stand_in_plan_order_with_their_judgements() -> None:
    """What is new runs in Django's order; what breaks, and what cannot be undone, is known."""
    found = diff(manifest(*OLD), manifest(*ADDED))
    assert [step.migration for step in found.steps] == ["shop.0003", "shop.0004", "shop.0005"]
    assert [step.migration for step in found.breaking] == ["shop.0003"]
    assert [step.migration for step in found.irreversible] == ["shop.0004"]
    assert [step.touches_data for step in found.steps] == [False, True, False]
    assert [step.atomic for step in found.steps] == [True, True, False]


def test_what_the_deploy_itself_makes_is_missed_by_nobody() -> None:
    """A table made and changed in the same release breaks no code that runs now."""
    new = nodes(
        {"operations": ["CreateModel Tag"]},
        {"breaks": ["removes the column shop.tag.name", "removes the column shop.tagged.name"]},
    )
    found = diff(manifest(*OLD), manifest(*new))
    assert found.steps[1].breaks == ("removes the column shop.tagged.name",)


def test_an_edited_migration_is_named() -> None:
    """Databases that have applied it will not notice; unknown code is not compared."""
    edited = [OLD[0], {**OLD[1], "ast": "sha256:other"}]
    assert diff(manifest(*OLD), manifest(*edited)).edited == ("shop.0002",)
    unknown = [OLD[0], {**OLD[1], "ast": None}]
    assert diff(manifest(*OLD), manifest(*unknown)).edited == ()


def test_a_renamed_migration_would_run_again() -> None:
    """The same code under another name of the same app is a rename, and no removal."""
    renamed = [
        node("shop.0001", ast="sha256:1"),
        node("shop.0002_better", "shop.0001", ast="sha256:2"),
    ]
    before = [node("shop.0001", ast="sha256:1"), node("shop.0002", "shop.0001", ast="sha256:2")]
    found = diff(manifest(*before), manifest(*renamed))
    assert found.renamed == (("shop.0002", "shop.0002_better"),)
    assert found.removed == ()
    assert [step.migration for step in found.steps] == ["shop.0002_better"]


def test_a_removed_migration_is_named_and_a_squashed_one_is_not() -> None:
    """Gone without a trace is removed; replaced by a squash is not."""
    assert diff(manifest(*OLD), manifest(OLD[0])).removed == ("shop.0002",)
    squash = node("shop.s", replaces=["shop.0001", "shop.0002"])
    found = diff(manifest(*OLD), manifest(squash))
    assert (found.removed, found.steps) == ((), ())


def test_a_squash_that_loses_its_originals_is_no_step() -> None:
    """The usual second release after squashing, without `replaces`, has nothing to run."""
    before = [*OLD, node("shop.s", replaces=["shop.0001", "shop.0002", "shop.0000"])]
    found = diff(manifest(*before), manifest(node("shop.s")))
    assert (found.steps, found.refused) == ((), ())
    assert found.removed == ("shop.0001", "shop.0002")


def test_what_django_would_refuse_is_reported() -> None:
    """A migration put before an applied one, a conflict, a broken graph, a hidden one."""
    between = [OLD[0], node("shop.0001b", "shop.0001"), node("shop.0002", "shop.0001b")]
    assert diff(manifest(*OLD), manifest(*between)).refused == (
        *("shop.0002 is applied before its dependency shop.0001b",),
        "shop.0001b would be overlooked by migrate",
    )
    forked = [*OLD, node("shop.0002b", "shop.0001")]
    assert diff(manifest(*OLD), manifest(*forked)).refused == (
        "conflict between shop.0002 and shop.0002b",
    )
    halved = manifest(
        node("shop.s", replaces=["shop.0001", "shop.x"]),
        node("shop.0003", "shop.x"),
        missing=[{"migration": "shop.x", "wanted_by": "shop.0003"}],
    )
    assert "which no file defines" in diff(manifest(*OLD), halved).refused[0]


def run(*arguments: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sidecar(), "diff", *arguments],
        check=False, cwd=cwd, env=environment(), capture_output=True, text=True,
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "old.json").write_bytes(encode(*OLD, head={"release": None}))
    (tmp_path / "new.json").write_bytes(encode(*ADDED, head={"release": "1.1|x"}))
    edited = [{**OLD[0], "ast": "sha256:other"}]
    (tmp_path / "edited.json").write_bytes(encode(*edited))
    return tmp_path


def test_printed_as_text(folder: Path) -> None:
    """Each step with its operations, and what an operator should know of it."""
    ended = run("old.json", "new.json", cwd=folder)
    assert ended.returncode == 0
    assert "-> 1.1|x: 3 migrations to run" in ended.stdout
    assert "  shop.0003  (AddField price.vat)\n" in ended.stdout
    assert "likely breaks the code that runs now: adds the column vat" in ended.stdout
    assert "cannot be rolled back" in ended.stdout
    assert "what RunPython and RunSQL do cannot be judged from here" in ended.stdout
    assert "not atomic: if it fails half-way, half of it stays" in ended.stdout


def test_printed_as_json_and_markdown(folder: Path) -> None:
    """For scripts one object, for pull requests a table with its bars escaped."""
    document = json.loads(run("old.json", "new.json", "--json", cwd=folder).stdout)
    assert document["steps"][0]["breaks"] == ["adds the column vat"]
    page = run("old.json", "new.json", "--markdown", cwd=folder).stdout
    assert "| `shop.0005` | AddIndex price.vat | not atomic" in page
    page = run("old.json", "edited.json", "--markdown", cwd=folder).stdout
    assert "**edited after release**\n\n- `shop.0001`" in page
    assert "**removed**\n\n- `shop.0002`" in page


@pytest.mark.parametrize(
    ("new", "kinds", "code"),
    [
        ("new.json", "breaking", 70),
        ("new.json", "edited, irreversible", 70),
        ("new.json", "edited,removed", 0),
        ("edited.json", "edited", 70),
        ("edited.json", "removed", 70),
        ("edited.json", "breaking,irreversible", 0),
        ("edited.json", "everything", 64),
        ("missing.json", "edited", 65),
    ],
)
def test_fails_on_what_it_is_asked_to(folder: Path, new: str, kinds: str, code: int) -> None:
    """70 when a named kind is found, so that a pipeline can stop; else 0."""
    ended = run("old.json", new, "--fail-on", kinds, cwd=folder)
    assert ended.returncode == code
    assert "Traceback" not in ended.stderr


def test_a_manifest_too_few_is_wrong_usage(folder: Path) -> None:
    """Both manifests are needed, and the line names the missing one."""
    ended = run("old.json", cwd=folder)
    assert (ended.returncode, "NEW" in ended.stderr) == (64, True)
