"""What a read of `django_migrations` brought back. Times are seconds since the epoch."""

import re
from typing import Final

import msgspec

from sidecar.core.migrations.manifest import Key
from sidecar.core.reason import Reason

END_OF_TIME: Final = 253402300800.0
"""The first second that no calendar has: that after the year 9999."""


def parse_time(text: str) -> float | None:
    """Return a time that another session wrote, or None if no calendar has it."""
    if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,9})?", text):
        return None
    seconds = float(text)
    return seconds if seconds < END_OF_TIME else None


class LockHolder(msgspec.Struct, frozen=True, kw_only=True):
    """The session that holds the migration lock; any session of the database can."""

    pid: int
    role: str | None = None
    since: float | None = None
    """When it acquired the lock, or else began; None where nobody who is trusted shows it."""
    trusted: bool = True
    """Whether its role may write the table, so that it can be a migrate run."""


class Blocker(msgspec.Struct, frozen=True, kw_only=True):
    """A session that holds a database lock which a migrate run waits for."""

    pid: int
    application: str = ""
    state: str | None = None
    """Such as `idle in transaction`; None where the role may not see it."""
    since: float | None = None
    """When its transaction began; None where the role may not see it."""


class MigrateRun(msgspec.Struct, frozen=True, kw_only=True):
    """A `sidecar migrate` under way, as seen from another session."""

    since: float | None = None
    """When it acquired the migration lock; None when only sessions of its command are left."""
    waiting: int = 0
    """How many other runs wait for the lock."""
    blocked_since: float | None = None
    blockers: tuple[Blocker, ...] = ()


class Recorded(msgspec.Struct, frozen=True):
    """The recorded migrations of one schema, as keys, one a line.

    Of several schemas those with the same rows are one value, and `others` has the rest.

    Kept as the one value that came over the wire, so that a read which brings the same
    bytes costs no comparison.
    """

    text: str
    schema: str | None = None
    last_applied: float | None = None
    """When the newest row was recorded."""
    note: str | None = None
    """What an operator should know, such as that there is no table."""
    recent: tuple[tuple[Key, float], ...] = ()
    """The newest rows and when they were recorded, newest last; empty where the text is the
    same as in the read before."""
    run: MigrateRun | None = None
    lock_holder: LockHolder | None = None
    schemas: tuple[str, ...] = ()
    """The schemas with these rows, where several are watched; sorted."""
    failure: Reason | None = None
    """Why the rows of these schemas could not be read, though those of others could."""
    message: str | None = None
    """The same, as a line for people."""
    others: tuple["Recorded", ...] = ()

    def groups(self) -> tuple["Recorded", ...]:
        """Return every distinct set of rows."""
        return (self, *self.others)

    def keys(self) -> list[Key]:
        """Return the recorded keys in the order of their ids, duplicates included."""
        return [Key(line) for line in self.text.split("\n")] if self.text else []
