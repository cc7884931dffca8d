"""How people squash migrations: ranges of them, squashes, other apps' and other labels'."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from equivalence.authors import Author
from equivalence.django_side import VERSION
from equivalence.order import is_undefined
from equivalence.projects import File, app_of

FORMER_LABELS = ("default", "a0")
"""Labels that no installed app has, as `default` in social-auth's `replaces`."""


class Squasher(Author):
    """Squashes what an author wrote, wherever Django's answer stays defined."""

    def squash(self) -> None:
        """Squash a range of one app; delete none, some or all of its files."""
        long = [app for app in self.apps if len(self.views[app]) > 1]
        app = self.draw.one(long or self.apps)
        replaced = self._range(self._written(app) if self.draw.once_in(4) else self.views[app])
        self._replace(app, replaced)

    def move(self) -> None:
        """Let one app take over another's migrations, and perhaps the first of its own."""
        app, other = (self.draw.one(self.apps) for _ in range(2))
        theirs = self._range(self._written(other) if self.draw.once_in(3) else self.views[other])
        own = self.views[app][: self.draw.number(0, 3)]
        self._replace(app, [*own, *theirs])

    def nest(self) -> None:
        """Squash a squash, as django-two-factor-auth's plugin does with its parent app's."""
        if not self._squashes(self.files):
            self.squash()
        squashes = [name for view in self.views.values() for name in self._squashes(view)]
        if not squashes:
            return
        inner = self.draw.one(squashes)
        view = self.views[app_of(inner)]
        at = view.index(inner)
        replaced = view[at : at + self.draw.number(1, 3)]
        replaced += self.files[inner].replaces if self.draw.flip() else ()
        self._replace(self.draw.one(self._nesting(app_of(inner))), replaced)

    def _nesting(self, inner: str) -> list[str]:
        """Return apps whose squash may replace one of this app's: below 6.0, those after it."""
        if VERSION >= (6, 0) or self.draw.once_in(12):
            return self.apps
        return self.apps[self.apps.index(inner) + 1 :] or self.apps

    def rename(self) -> None:
        """List the labels that an app used to have, as social-auth-app-django does."""
        app = self.draw.one(self.apps)
        labels = FORMER_LABELS[: self.draw.number(1, 2)]
        for name in self.views[app][: self.draw.number(1, 3)]:
            if name in self.files and not self.files[name].replaces:
                old = tuple(f"{label}.{name.partition('.')[2]}" for label in labels)
                self._change(name, replaces=old)

    def _squashes(self, names: Iterable[str]) -> list[str]:
        return [name for name in names if name in self.files and self.files[name].replaces]

    def _range(self, names: Sequence[str]) -> list[str]:
        """Draw a range that no path leaves and enters again, as far as that is possible.

        It likes to begin with a squash: squashes of squashes are rare otherwise.
        """
        if not names:
            return []
        starts = [names.index(name) for name in self._squashes(names)]
        if not starts or self.draw.flip():
            starts = list(range(max(1, len(names) - 1)))
        start = self.draw.one(starts)
        found = list(names[start : start + self.draw.one([1, 2, 3, 3, 4, 6])])
        while len(found) > 1 and self._reenters(set(found)) and not self.draw.once_in(24):
            found.pop()
        return found

    def _reenters(self, inside: set[str]) -> bool:
        """Return whether something outside lies between two of these."""
        above: set[str] = set()
        for _ in self.files:
            above |= {n for n in self.files if any(p in inside | above for p in self._needs(n))}
        return any(parent in above - inside for name in inside for parent in self._needs(name))

    def _needs(self, name: str) -> set[str]:
        file = self.files.get(name)
        before = {other.migration for other in self.files.values() if name in other.run_before}
        return before | set(file.dependencies if file else ())

    def _replace(self, app: str, replaced: Sequence[str]) -> None:
        """Add the squash of these, unless that makes Django's answer undefined."""
        replaced, kept = list(dict.fromkeys(replaced)), dict(self.files)
        if not replaced:
            return
        squash = self._named(app, replaced)
        if squash in self.files or squash in replaced:
            return
        typo = [f"{squash}.py"] if self.draw.once_in(12) else []
        parents = self._parents(app, replaced)
        self.files[squash] = File(squash, parents, replaces=(*replaced, *typo))
        if self.draw.flip():
            self._rewrite(squash, replaced)
        self._delete(replaced)
        if is_undefined(self.project(), VERSION):
            self.files = kept
        else:
            self._collapse(squash, replaced)

    def _named(self, app: str, replaced: Sequence[str]) -> str:
        """Draw a name: as squashmigrations gives, or one that sorts last or first."""
        first, last = (name.partition(".")[2] for name in (replaced[0], replaced[-1]))
        names = [f"{first}_squashed_{last}", f"z_{first}_{last}", f"00_{last}"]
        return f"{app}.{self.draw.one(names)}"

    def _parents(self, app: str, replaced: Sequence[str]) -> tuple[str, ...]:
        """Return what the squash depends on: whatever its originals need from outside."""
        files = [self.files[name] for name in replaced if name in self.files]
        inside = {*replaced, *(name for file in files for name in file.replaces)}
        needed = [parent for file in files for parent in file.dependencies]
        if app_of(replaced[-1]) != app and not self.draw.once_in(10):
            needed += self._leaves(app)
        return tuple(dict.fromkeys(name for name in needed if name not in inside))

    def _rewrite(self, squash: str, replaced: Collection[str]) -> None:
        """Let whoever depends on an original depend on the squash."""
        for name, file in self.files.items():
            if name not in (squash, *replaced) and set(file.dependencies) & set(replaced):
                wanted = [squash if name in replaced else name for name in file.dependencies]
                self.files[name] = replace(file, dependencies=tuple(dict.fromkeys(wanted)))

    def _delete(self, replaced: Sequence[str]) -> None:
        """Delete none, all or some of the originals' files."""
        how = self.draw.one(["none", "none", "all", "all", "some"])
        for name in replaced:
            if name in self.files and (how == "all" or (how == "some" and self.draw.flip())):
                del self.files[name]

    def _collapse(self, squash: str, replaced: Collection[str]) -> None:
        """Let the squash stand for its originals from now on."""
        for app, view in self.views.items():
            at = min((n for n, name in enumerate(view) if name in replaced), default=len(view))
            rest = [name for name in view[at:] if name not in replaced]
            view[:] = [*view[:at], *([squash] if app == app_of(squash) else []), *rest]
