"""The cases worth knowing by heart: Django's answer, and ours.

Each states both answers in full; what is not mentioned is empty.
"""

from dataclasses import dataclass, field
from typing import Any

import pytest

from equivalence.agreement import World, bake
from equivalence.django_side import VERSION, Answer, load_on_empty_database
from equivalence.projects import Case, Project, file, project
from sidecar.core.migrations.manifest import decode
from sidecar.errors import ManifestError

RECURSIVE = VERSION >= (6, 0)
CHAIN = (file("a.1"), file("a.2", "a.1"), file("a.3", "a.2"))
PLAIN = project(*CHAIN)
TAIL = project(*CHAIN, file("a.s", "a.1", replaces=["a.2", "a.3"]))
HEAD = project(*CHAIN, file("a.s", replaces=["a.1", "a.2"]))
GONE = project(file("a.s", replaces=["a.1", "a.2"]), file("a.3", "a.s"))
GONE_BUT_NEEDED = project(file("a.s", replaces=["a.1", "a.2"]), file("a.3", "a.2"))
FORKED = project(file("a.1"), file("a.2", "a.1"), file("a.3", "a.1"), TAIL.files[-1])
SOCIAL = project(
    file("social_django.1", replaces=["default.1", "social_auth.1"]),
    file("social_django.2", "social_django.1", replaces=["default.2", "social_auth.2"]),
)
TWO_FACTOR = (
    file("two_factor.1"),
    file("two_factor.2", "two_factor.1"),
    file("two_factor.s", replaces=["two_factor.1", "two_factor.2"]),
    file("phonenumber.1", "two_factor.2"),
    file(
        "phonenumber.s",
        replaces=["phonenumber.1", "two_factor.1", "two_factor.2", "two_factor.s"],
    ),
)
MOVED = project(*TWO_FACTOR)
MOVED_FIRST = project(*TWO_FACTOR, apps="phonenumber two_factor")
NESTED = project(*HEAD.files[:2], HEAD.files[-1], file("b.t", replaces=["a.s"]))


@dataclass(frozen=True, slots=True)
class Example:
    """Rows, and both answers to them. Names are written in one string."""

    project: Project
    rows: str
    outcome: str
    plan: str = ""
    error: str = ""
    """What Django's error and ours both mention."""
    violation: str = ""
    conflicts: str = ""
    records: str = ""
    """The rows of squashes that `migrate` would write, though it has nothing to run."""
    alone: dict[str, Any] = field(default_factory=dict)
    """Fields of our verdict for which Django has no answer."""


def split_names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


EVERY_DJANGO = {
    "nothing is recorded": Example(PLAIN, "", "behind", plan="a.1 a.2 a.3"),
    "everything is recorded": Example(PLAIN, "a.1 a.2 a.3", "current"),
    "a later migration without an earlier": Example(
        PLAIN, "a.1 a.3", "inconsistent", violation="a.3 a.2", alone={"hidden": ("a.2",)}
    ),
    "a newer release has migrated": Example(
        PLAIN, "a.1 a.2 a.3 a.4", "ahead", alone={"newer": ("a.4",)}
    ),
    "rows of files deleted long ago": Example(
        PLAIN, "a.0 a.1 a.2 a.3", "current", alone={"leftover": ("a.0",)}
    ),
    "rows of another project": Example(
        PLAIN, "a.1 a.2 a.3 z.1", "current", alone={"foreign": ("z.1",)}
    ),
    "a row that stands twice": Example(
        PLAIN, "a.1 a.2 a.3 a.2", "current", alone={"duplicates": 1}
    ),
    "the smallest hidden migration": Example(
        TAIL, "a.2 a.3", "inconsistent", records="a.s", alone={"hidden": ("a.1",)}
    ),
    "the smallest lost migration": Example(
        project(file("a.s", replaces=["a.1", "a.2"])),
        "a.1",
        "inconsistent",
        alone={"lost": ("a.2",)},
    ),
    "a lost migration below an applied one": Example(
        GONE, "a.1 a.3", "current", alone={"lost_harmless": ("a.2",)}
    ),
    "half a squash whose files are gone": Example(
        GONE, "a.1", "inconsistent", plan="a.3", alone={"lost": ("a.2",)}
    ),
    "half a squash whose files are gone, and needed": Example(
        GONE_BUT_NEEDED, "a.1", "inconsistent", error="a.3 depends on"
    ),
    "none of a squash whose files are gone": Example(GONE_BUT_NEEDED, "", "behind", plan="a.s a.3"),
    "all of a squash whose files are gone": Example(
        GONE_BUT_NEEDED, "a.1 a.2", "behind", plan="a.3", records="a.s"
    ),
    "half a squash": Example(HEAD, "a.1", "behind", plan="a.2 a.3"),
    "a pruned squash that is the leaf": Example(
        project(*TAIL.files[:1], TAIL.files[-1]),
        "a.1 a.s",
        "behind",
        plan="a.s",
        alone={"pruned": True},
    ),
    "a pruned squash below an applied migration": Example(GONE, "a.s a.3", "current"),
    "a squash that nobody has recorded yet": Example(TAIL, "a.1 a.2 a.3", "current", records="a.s"),
    "a conflict while half a squash is applied": Example(
        FORKED, "a.1 a.2", "inconsistent", plan="a.3", conflicts="a.2 a.3"
    ),
    "no conflict once all of it is": Example(FORKED, "a.1 a.2 a.3", "current", records="a.s"),
    "two old labels, with rows under the first": Example(
        SOCIAL,
        "default.1 default.2",
        "current",
        alone={"lost_harmless": ("social_auth.1", "social_auth.2")},
    ),
    "two old labels, with rows under the second and our own": Example(
        SOCIAL, "social_auth.1 social_auth.2 social_django.1 social_django.2", "current"
    ),
    "two old labels, with our own rows alone": Example(
        SOCIAL,
        "social_django.1 social_django.2",
        "behind",
        plan="social_django.1 social_django.2",
        alone={"pruned": True},
    ),
    "an app that moved, on a new database": Example(MOVED, "", "behind", plan="phonenumber.s"),
    "an app that moved, half-way": Example(
        MOVED, "two_factor.1", "behind", plan="two_factor.2 phonenumber.1"
    ),
}
BELOW_6_0 = {
    "an app that moved, with the originals": Example(
        MOVED, "two_factor.1 two_factor.2 phonenumber.1", "current", records="two_factor.s"
    ),
    "an app that moved, and is installed first": Example(
        MOVED_FIRST, "", "inconsistent", error="two_factor"
    ),
    "half of an inner squash": Example(NESTED, "a.1", "behind", plan="a.2 b.t"),
    "all of an inner squash": Example(NESTED, "a.1 a.2", "current", records="a.s"),
}
FROM_6_0 = {
    "an app that moved, with the originals": Example(
        MOVED,
        "two_factor.1 two_factor.2 phonenumber.1",
        "current",
        records="two_factor.s phonenumber.s",
    ),
    "an app that moved, and is installed first": Example(
        MOVED_FIRST, "", "behind", plan="phonenumber.s"
    ),
    "half of an inner squash": Example(NESTED, "a.1", "behind", plan="a.2"),
    "all of an inner squash": Example(NESTED, "a.1 a.2", "current", records="a.s b.t"),
}
EXAMPLES = EVERY_DJANGO | (FROM_6_0 if RECURSIVE else BELOW_6_0)


@pytest.mark.parametrize("name", EXAMPLES)
def test_django_answers_as_the_table_states(world: World, name: str) -> None:
    """Django's loader and executor answer as the table states."""
    example = EXAMPLES[name]
    django, _ = world.ask(Case(example.project, split_names(example.rows)))
    assert bool(django.error) == bool(example.error)
    assert example.error in (django.error or "")
    assert django == Answer(
        error=django.error,
        violation=split_names(example.violation) or None,  # type: ignore[arg-type]
        conflicts=(split_names(example.conflicts),) if example.conflicts else (),
        plan=split_names(example.plan),
        records=split_names(example.records),
        nodes=django.nodes,
        edges=django.edges,
        applied=django.applied,
    )


@pytest.mark.parametrize("name", EXAMPLES)
def test_our_verdict_is_as_the_table_states(world: World, name: str) -> None:
    """Our verdict is what the table states, and nothing besides."""
    example = EXAMPLES[name]
    _, ours = world.ask(Case(example.project, split_names(example.rows)))
    found = {key: value for key in ours.__struct_fields__ if (value := getattr(ours, key))}
    found.pop("expected", None)
    assert example.error in (found.pop("graph_error", None) or "")
    expected = {
        "outcome": example.outcome,
        "plan": split_names(example.plan),
        "pending": split_names(example.plan),
        "inconsistent": (split_names(example.violation),) if example.violation else (),
        "conflicts": (split_names(example.conflicts),) if example.conflicts else (),
        "unrecorded": split_names(example.records),
        **example.alone,
    }
    assert found == {key: value for key, value in expected.items() if value}


def test_a_squash_that_replaces_itself_is_refused() -> None:
    """No manifest has a squash that lists its own name, whatever Django makes of it."""
    itself = project(file("a.1"), file("a.s", replaces=["a.1", "a.s"]))
    loader, error = load_on_empty_database(itself)
    assert bool(error) == RECURSIVE
    with pytest.raises(ManifestError, match=r"a\.s replaces itself"):
        decode(bake(loader))
