"""How people write migrations, one after the other: the drawing of a project's history."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from equivalence.django_side import VERSION
from equivalence.draws import Draws
from equivalence.order import is_undefined
from equivalence.projects import File, Project, app_of

LABELS = ("a", "a_b", "b", "a1", "B")
UNMIGRATED = "plain"
NUMBERS = (
    [f"{number:04d}" for number in range(1, 30)],
    [f"{number:04d}" for number in range(30, 1, -1)],
    [f"{number * 7 % 30:04d}_m" for number in range(1, 30)],
)


class Author:
    """Writes a project; each method is one habit of people."""

    def __init__(self, draw: Draws) -> None:
        """Choose the apps and how their migrations are numbered."""
        self.draw = draw
        size = draw.one([1, 2, 2, 2, 3, 3, 4])
        self.apps = draw.some(LABELS, size, size)
        self.numbers = {app: draw.one(NUMBERS) for app in self.apps}
        self.files: dict[str, File] = {}
        self.history: list[str] = []
        self.views = {app: list[str]() for app in self.apps}
        """Each app's migrations in the order of writing; a squash stands for its originals."""

    def project(self) -> Project:
        """Return what was written."""
        return Project(
            tuple(self.files.values()), tuple(self.apps), (UNMIGRATED,), tuple(self.history)
        )

    def write(self) -> None:
        """Add a migration to an app: on its leaves, or beside them."""
        app = self.draw.one(self.apps)
        view = self.views[app]
        where = self.draw.one(["on"] * 8 + ["beside", "apart"])
        if where == "on" or not view:
            parents = self._leaves(app)
        else:
            parents = [self.draw.one(view)] if where == "beside" else []
        if view and self.draw.once_in(8):
            parents = [*parents, self.draw.one(view)]
        elsewhere = [name for name in self.history if app_of(name) != app]
        if elsewhere and self.draw.once_in(3):
            parents = [*parents, self.draw.one(elsewhere)]
        self._add(app, parents)

    def merge(self) -> None:
        """Join what was written beside each other, as `makemigrations --merge` does."""
        for app in self.apps:
            if len(self._leaves(app)) > 1 and not self.draw.once_in(24):
                self._add(app, self._leaves(app))

    def link(self) -> None:
        """Tie apps together by other means than names."""
        for at, name in enumerate(self.history):
            if not self.draw.once_in(6):
                continue
            app, later = app_of(name), self.history[at + 1 :]
            finished = sorted(
                {app_of(n) for n in self.history} - {app_of(n) for n in later} - {app}
            )
            begun = sorted({app_of(n) for n in self.history[:at]} - {app})
            choices = [f"{UNMIGRATED}.__first__", f"{app}.__first__"]
            choices += [f"{other}.__first__" for other in begun] * 2
            choices += [f"{other}.__latest__" for other in finished]
            others = [other for other in later if app_of(other) != app]
            others += later[-1:] if self.draw.once_in(4) else []
            unbegun = {app_of(n) for n in later} - {app_of(n) for n in self.history[: at + 1]}
            others += [f"{other}.__first__" for other in sorted(unbegun)]
            if others and self.draw.flip():
                self._change(name, run_before=(self.draw.one(others),))
            else:
                self._depend(name, self.draw.one(choices))

    def delete_file(self) -> None:
        """Delete a file, though no squash may stand for it."""
        del self.files[self.draw.one(sorted(self.files))]

    def depend_on_missing(self) -> None:
        """Depend on what never was: a migration, an app, the first of an app without any."""
        empty = [app for app in self.apps if not self.views[app]] or ["gone"]
        gone = ["a.9999_gone", "gone.0001", "gone.__first__", f"{UNMIGRATED}.0001"]
        target = self.draw.one([*gone, f"{empty[0]}.__first__", f"{empty[0]}.__latest__"])
        self._depend(self.draw.one(sorted(self.files)), target)

    def depend_on_later(self) -> None:
        """Depend on something written later, or on oneself."""
        at = self.draw.number(0, len(self.history) - 1)
        self._depend(self.history[at], self.draw.one(self.history[at:]))

    def fork(self) -> None:
        """Write on a migration that is not the last: a conflict, if nobody merges."""
        parent = self.draw.one(self.history)
        self._add(app_of(parent), [parent])

    def _add(self, app: str, parents: Sequence[str]) -> None:
        name = f"{app}.{self.numbers[app][len(self._written(app))]}"
        self.files[name] = File(name, tuple(dict.fromkeys(parents)))
        self.history.append(name)
        self.views[app].append(name)

    def _leaves(self, app: str) -> list[str]:
        needed = {
            parent
            for file in self.files.values()
            if file.app == app
            for parent in file.dependencies
        }
        return [name for name in self.views[app] if name not in needed]

    def _written(self, app: str) -> list[str]:
        """Return what people wrote in this app, squashed since or not."""
        return [name for name in self.history if app_of(name) == app]

    def _change(self, name: str, **fields: Any) -> None:
        if name not in self.files:
            return
        before = self.files[name]
        self.files[name] = replace(before, **fields)
        if is_undefined(self.project(), VERSION):
            self.files[name] = before

    def _depend(self, name: str, target: str) -> None:
        if name in self.files:
            known = self.files[name].dependencies
            self._change(name, dependencies=tuple(dict.fromkeys([*known, target])))
