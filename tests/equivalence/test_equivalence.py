"""Our comparison against Django's own executor, on generated projects and rows.

A few hundred cases here; `make equivalence` asks tens of thousands of every Django that is
supported (run.py, matrix.py).
"""

import pytest
from hypothesis import HealthCheck, given, settings

from equivalence import order
from equivalence.agreement import World
from equivalence.cases import cases
from equivalence.django_side import VERSION
from equivalence.projects import Case, file, project


@settings(
    max_examples=400,
    database=None,
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
@given(case=cases())
def test_django_and_we_agree(world: World, case: Case) -> None:
    """Whatever the project and the rows, Django's answer is ours, or we name what is hidden."""
    world.check(case)


def test_nested_squashes_of_one_app_are_undefined_below_6_0() -> None:
    """A squash of a squash is left out where Django's answer depends on a set's order."""
    nested = project(
        file("a.1"),
        file("a.2", "a.1"),
        file("a.s", replaces=["a.1"]),
        file("a.t", replaces=["a.s", "a.2"]),
    )
    assert [order.is_undefined(nested, v) for v in ((5, 2), (6, 0), (6, 1))] == [True, False, False]


def test_overlapping_squashes_of_one_app_are_undefined_below_6_1() -> None:
    """Squashes that share a migration are left out where Django takes them in any order."""
    shared = project(file("a.1"), file("a.s", replaces=["a.1"]), file("a.t", replaces=["a.1"]))
    assert [order.is_undefined(shared, v) for v in ((5, 2), (6, 0), (6, 1))] == [True, True, False]


def test_squashes_across_apps_are_defined_everywhere() -> None:
    """The order of apps is that of INSTALLED_APPS, so a nest across apps is not left out."""
    across = project(
        file("a.1"), file("a.s", replaces=["a.1"]), file("b.t", replaces=["a.s", "a.1"])
    )
    assert not any(order.is_undefined(across, v) for v in ((4, 2), (5, 2), (6, 0), (6, 1)))


@pytest.mark.skipif(VERSION >= (6, 1), reason="Django 6.1 sorts an app's files")
def test_what_is_left_out_has_indeed_two_answers(world: World) -> None:
    """Below 6.1 the same project and rows give two answers, by the order of a set."""
    shared = project(
        file("a.1"),
        file("a.2", "a.1"),
        file("a.3", "a.2"),
        file("a.s", replaces=["a.1", "a.2"]),
        file("a.t", "a.1", replaces=["a.2", "a.3"]),
        file("B.1", "a.s"),
    )
    assert order.is_undefined(shared, VERSION)
    plans = [world.ask(Case(shared, ("a.1",), found))[0].plan for found in (False, True)]
    assert plans == [("a.t", "B.1"), ("B.1", "a.t")]
