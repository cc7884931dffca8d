"""A Django project, as far as migrations go: values that print as the code that makes them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

INDIRECT = ("__first__", "__latest__")


@dataclass(frozen=True, slots=True)
class File:
    """One migration file; names are `app.name`."""

    migration: str
    dependencies: tuple[str, ...] = ()
    run_before: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()

    @property
    def app(self) -> str:
        """The app whose file it is."""
        return app_of(self.migration)

    def __str__(self) -> str:
        """Return the call of `file` that makes it."""
        words = [repr(word) for word in (self.migration, *self.dependencies)]
        if self.run_before:
            words.append(f"run_before={list(self.run_before)}")
        if self.replaces:
            words.append(f"replaces={list(self.replaces)}")
        return f"file({', '.join(words)})"


@dataclass(frozen=True, slots=True)
class Project:
    """All migration files, and the apps in the order of INSTALLED_APPS."""

    files: tuple[File, ...]
    apps: tuple[str, ...]
    unmigrated: tuple[str, ...] = ()
    history: tuple[str, ...] = field(default=(), compare=False)
    """The migrations in the order in which people wrote them, deleted files included."""

    @property
    def squashes(self) -> dict[str, tuple[str, ...]]:
        """What each squash replaces, as written."""
        return {file.migration: file.replaces for file in self.files if file.replaces}

    def originals(self, squash: str, above: tuple[str, ...] = ()) -> Iterator[str]:
        """Yield what a squash stands for, through the squashes that it replaces."""
        for name in self.squashes[squash]:
            if name not in self.squashes:
                yield name
            elif name not in above:
                yield from self.originals(name, (*above, squash))

    @property
    def names(self) -> tuple[str, ...]:
        """Every migration that is a file, is replaced, or once was."""
        files = [file.migration for file in self.files]
        replaced = [name for file in self.files for name in file.replaces]
        return tuple(dict.fromkeys([*self.history, *replaced, *files]))

    def __str__(self) -> str:
        """Return the call of `project` that makes it."""
        lines = [f"    {file}," for file in self.files]
        lines.append(f"    apps={' '.join(self.apps)!r},")
        if self.unmigrated:
            lines.append(f"    unmigrated={' '.join(self.unmigrated)!r},")
        return "\n".join(["project(", *lines, ")"])


@dataclass(frozen=True, slots=True)
class Case:
    """A project and the rows of its database, in the order of their ids."""

    project: Project
    rows: tuple[str, ...]
    backwards: bool = False
    """Django finds each app's files in reverse: below 6.1 it keeps them in a set."""

    def __str__(self) -> str:
        """Return what reproduces it."""
        order = "\nfiles found in reverse" if self.backwards else ""
        return f"{self.project}\nrows = {' '.join(self.rows)!r}{order}"


def file(
    migration: str,
    *dependencies: str,
    run_before: Iterable[str] = (),
    replaces: Iterable[str] = (),
) -> File:
    """Return one migration file."""
    return File(migration, dependencies, tuple(run_before), tuple(replaces))


def project(*files: File, apps: str = "", unmigrated: str = "") -> Project:
    """Return a project; without `apps`, those of the files in order of appearance."""
    labels = apps.split() or list(dict.fromkeys(file.app for file in files))
    return Project(files, tuple(labels), tuple(unmigrated.split()))


def app_of(name: str) -> str:
    """Return the app label of a name."""
    return name.partition(".")[0]
