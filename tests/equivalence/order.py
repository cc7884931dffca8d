"""The projects for which Django's own answer depends on the order of a set of file names.

SEMANTICS.md, 'Order'. Up to 6.0 the loader keeps the names of an app's files in a set, and
squashes are replaced in that order; from 6.1 they are sorted. Two squashes of which one
replaces the other, or which replace a common migration, do not commute. Everything else
does, and order among apps is that of INSTALLED_APPS.
"""

from collections.abc import Collection, Iterator
from itertools import combinations

from equivalence.projects import INDIRECT, Project, app_of

Squashes = dict[str, tuple[str, ...]]


def is_undefined(project: Project, django: tuple[int, int]) -> bool:
    """Return whether this Django has no defined answer for some rows."""
    if django >= (6, 1):
        return False
    squashes = project.squashes
    return any(
        _is_undefined_flat(squashes, one, other)
        if django < (6, 0)
        else _is_undefined_recursive(project, one, other)
        for one, other in combinations(squashes, 2)
    )


def order_matters(project: Project) -> bool:
    """Return whether the order of an app's files may decide what `__first__` or `__latest__` is."""
    return any(
        name.endswith(INDIRECT)
        for file in project.files
        for name in file.dependencies + file.run_before
    )


def _is_undefined_flat(squashes: Squashes, one: str, other: str) -> bool:
    if app_of(one) != app_of(other):
        return False
    nested = one in squashes[other] or other in squashes[one]
    return nested or bool(set(squashes[one]) & set(squashes[other]))


def _is_undefined_recursive(project: Project, one: str, other: str) -> bool:
    """Inner squashes come first; the rest as the first squash that leads to them is found."""
    squashes = project.squashes
    if not set(squashes[one]) & set(squashes[other]):
        return False
    above, below = set(_squashes_around(squashes, one)), set(_squashes_around(squashes, other))
    if one in below or other in above:
        return one in below and other in above  # a cycle is refused, in any order
    first = min(map(project.apps.index, map(app_of, above | {one})))
    if first != min(map(project.apps.index, map(app_of, below | {other}))):
        return False
    starts = [_names_of_app(project.apps[first], keys) for keys in (above | {one}, below | {other})]
    return not (starts[0] == starts[1] and len(starts[0]) == 1)


def _squashes_around(squashes: Squashes, inner: str) -> Iterator[str]:
    """Yield the squashes that replace this one, directly or not."""
    seen: set[str] = set()
    todo = [inner]
    while todo:
        key = todo.pop()
        for outer, replaced in squashes.items():
            if key in replaced and outer not in seen:
                seen.add(outer)
                todo.append(outer)
                yield outer


def _names_of_app(app: str, keys: Collection[str]) -> set[str]:
    return {key for key in keys if app_of(key) == app}
