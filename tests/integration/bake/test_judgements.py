"""What the manifest holds of a migration: what it breaks, and whether it can be undone."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from integration.bake.environments import PAIRS, Pair
from integration.bake.judgements import BASE, BEFORE, CASES, Case
from integration.bake.projects import Baked, Project, alone, migration

HERE = "5.2"
"""The Django that the tests are installed with."""


def bake_cases(project: Project, cases: Sequence[Case], *command: str | Path) -> Baked:
    """Bake one project that has an app for each case."""
    more = "OTHER_MODEL = 'elsewhere.Model'"
    project.settings(*(case.name for case in cases), more=more)
    for case in cases:
        first = migration(before=BEFORE, operations=case.text(BASE) + case.text(case.setup))
        second = migration(
            (case.name, "0001_base"),
            before=BEFORE,
            operations=case.text(case.operations),
            **({} if case.atomic else {"atomic": False}),
        )
        project.app(case.name, m0001_base=first, m0002_case=second)
    return project.bake("--no-model-check", command=command)


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Baked:
    """Every case, baked at once."""
    project = Project(tmp_path_factory.mktemp("cases"))
    return bake_cases(project, [case for case in CASES if case.since <= HERE])


@pytest.mark.parametrize("case", [c for c in CASES if c.since <= HERE], ids=lambda c: c.name)
def test_judgement(case: Case, judged: Baked) -> None:
    """Each migration is judged as the table has it, and nothing more is claimed."""
    row = judged.rows[f"{case.name}.0002_case"]
    assert tuple(row.get("breaks", ())) == case.breaks
    assert row.get("reversible", True) is case.reversible
    assert row.get("touches_data", False) is case.touches_data
    assert row.get("atomic", True) is case.atomic
    if case.described:
        assert row["operations"][0] == case.described


def test_what_begins_breaks_nothing(judged: Baked) -> None:
    """A migration that makes its tables takes nothing from code that cannot know them."""
    assert [name for name in judged.rows if name.endswith("_base")]
    for name, row in judged.rows.items():
        assert not (name.endswith("_base") and "breaks" in row), row


@pytest.mark.pythons
@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_every_django_is_judged_alike(
    pair: Pair, project: Project, judged: Baked, tmp_path: Path
) -> None:
    """The judgements do not depend on the version of Python or Django."""
    cases = [case for case in CASES if case.since <= pair.django]
    found = bake_cases(project, cases, pair.interpreter(), alone(tmp_path / "mounted"))
    for case in cases:
        name = f"{case.name}.0002_case"
        assert found.rows[name] == judged.rows[name]
