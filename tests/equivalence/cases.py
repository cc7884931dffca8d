"""Cases for hypothesis to choose: a project, as it grew, and the rows of its database.

A project grows as real ones do. People write migrations one after the other, each on the
last of its app and now and then on another app's; then ranges are squashed, and the files
of the originals deleted. So most graphs are valid, with every oddity close by.
"""

from typing import Any

from hypothesis import strategies as st

from equivalence.django_side import VERSION
from equivalence.draws import Draws
from equivalence.order import order_matters
from equivalence.projects import Case, Project
from equivalence.rows import draw_rows
from equivalence.squashers import Squasher


@st.composite
def cases(draw: Any) -> Case:
    """Draw a case for which this Django has one answer."""
    draws = Draws(draw)
    project = draw_project(draws)
    rows = draw_rows(draws, project)
    backwards = VERSION < (6, 1) and not order_matters(project) and draws.flip()
    return Case(project, tuple(rows), backwards)


def draw_project(draws: Draws) -> Project:
    """Draw a project."""
    people = Squasher(draws)
    for _ in range(draws.number(1, 12)):
        people.write()
    people.merge()
    people.link()
    habits = [people.squash] * 4 + [people.move, people.nest, people.rename] * 2
    for _ in range(draws.one([0, 1, 1, 2, 2, 3])):
        draws.one(habits)()
    if draws.once_in(12):
        draws.one(
            [people.delete_file, people.depend_on_later, people.fork, people.depend_on_missing]
        )()
    return people.project()
