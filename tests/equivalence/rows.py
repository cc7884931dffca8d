"""Rows for hypothesis to choose, given a project: what databases hold, and what they must not."""

from equivalence.django_side import load_on_empty_database
from equivalence.draws import Draws
from equivalence.projects import Project

NEWER = ("9998_newer", "9999_newer")
FOREIGN = ("gone.0001", "default.0001", "zz.0001", "plain.0001")


def draw_rows(draw: Draws, project: Project) -> list[str]:
    """Draw rows: a state that migrating leaves behind, then accidents."""
    rows: list[str] = draw.one(STATES)(draw, project)
    names = project.names
    if names and draw.flip():
        for name in draw.some(names, 0, 3):
            if name in rows:
                rows.remove(name)
            else:
                rows.insert(draw.number(0, len(rows)), name)
    if draw.once_in(6):
        unknown = [f"{app}.{name}" for app in project.apps for name in NEWER]
        for name in draw.some([*unknown, *FOREIGN], 1, 3):
            rows.insert(draw.one([0, len(rows)]), name)
    if rows and draw.once_in(8):
        rows.insert(draw.number(0, len(rows)), draw.one(rows))
    return draw.some(rows, len(rows), len(rows)) if draw.once_in(8) else rows


def _rows_of_plan(draw: Draws, project: Project) -> list[str]:
    """What a run of `migrate` on an empty database leaves when it ends early."""
    loader, error = load_on_empty_database(project)
    plan: list[str] = []
    if not error:
        for leaf in loader.graph.leaf_nodes():
            plan += [f"{app}.{name}" for app, name in loader.graph.forwards_plan(leaf)]
    squashes, rows = project.squashes, list[str]()

    def write(name: str) -> None:
        for inner in squashes.get(name, ()):
            if inner not in rows:
                write(inner)
        rows.append(name)

    for name in dict.fromkeys(plan):
        write(name)
    return rows[: draw.number(0, len(rows))]


def _rows_of_originals(draw: Draws, project: Project) -> list[str]:
    """What the originals leave, migrated one after the other as people wrote them."""
    history = project.history
    rows = list(history[: draw.number(0, len(history))])
    for squash, replaced in project.squashes.items():
        if set(replaced) <= set(rows) and draw.flip():
            rows.append(squash)
    return rows


def _rows_of_half_a_squash(draw: Draws, project: Project) -> list[str]:
    """What the originals leave when migrating stops inside a squash."""
    inside = [set(replaced) & set(project.history) for replaced in project.squashes.values()]
    choices = [names for names in inside if len(names) > 1]
    if not choices:
        return _rows_of_originals(draw, project)
    order = sorted(map(project.history.index, draw.one(choices)))
    return list(project.history[: draw.one(order[:-1]) + 1])


def _rows_with_gaps(draw: Draws, project: Project) -> list[str]:
    """Everything but some of what a squash replaces; the squashes' own rows as it happens."""
    choices = [replaced for replaced in project.squashes.values() if len(replaced) > 1]
    if not choices:
        return _any_rows(draw, project)
    replaced = draw.one(choices)
    gone = draw.some(replaced, 1, 3)
    if draw.flip():
        gone += project.squashes
    return [name for name in project.names if name not in gone]


def _all_rows(_: Draws, project: Project) -> list[str]:
    return list(project.names)


def _any_rows(draw: Draws, project: Project) -> list[str]:
    return [name for name in project.names if draw.flip()]


def _rows_after_pruning(draw: Draws, project: Project) -> list[str]:
    """What is left after a later release dropped `replaces` and pruned."""
    squashes = project.squashes
    if not squashes:
        return _rows_of_originals(draw, project)
    pruned = squashes[draw.one(sorted(squashes))]
    return [name for name in project.names if name not in pruned]


def _rows_without_squashes(_: Draws, project: Project) -> list[str]:
    """Everything but the squashes' own rows: they are new, and nobody has migrated since."""
    return [name for name in project.names if name not in project.squashes]


STATES = [
    _rows_of_plan,
    _rows_of_originals,
    _any_rows,
    _rows_of_half_a_squash,
    _rows_with_gaps,
    _rows_with_gaps,
] * 2 + [_all_rows, _rows_after_pruning, _rows_without_squashes]
