"""One database as it was last read: values, from the database down to its groups of schemas."""

from fnmatch import fnmatchcase
from typing import Final

import msgspec

from sidecar.core.migrations.compare import Outcome, Verdict
from sidecar.core.migrations.recorded import LockHolder, MigrateRun
from sidecar.core.migrations.timeline import Timeline
from sidecar.core.reason import Reason

REASONS: Final = {
    Outcome.CURRENT: Reason.SCHEMA_CURRENT,
    Outcome.AHEAD: Reason.SCHEMA_AHEAD,
    Outcome.BEHIND: Reason.SCHEMA_BEHIND,
    Outcome.INCONSISTENT: Reason.HISTORY_INCONSISTENT,
}

SATISFIED: Final = frozenset({Outcome.CURRENT, Outcome.AHEAD})


class RequiredSchemas(msgspec.Struct, frozen=True):
    """Which schemas the gate depends on."""

    optional: tuple[str, ...] = ()
    """Patterns `alias:schema` of schemas that it does not depend on."""
    empty: bool = True
    """Whether it depends on schemas, of several, in which nothing was ever migrated."""
    named: frozenset[str] = frozenset()
    """`alias:schema` of those that it depends on even so: the settings name them."""

    def is_optional(self, database: str, schema: str) -> bool:
        """Return whether a pattern names this schema."""
        return any(fnmatchcase(f"{database}:{schema}", pattern) for pattern in self.optional)


class SchemaGroup(msgspec.Struct, frozen=True, kw_only=True):
    """The schemas of one database that have the same rows, with their verdict or failure."""

    schema: str | None = None
    """Its name, where it is only one."""
    schemas: tuple[str, ...] = ()
    """All names, where several schemas are watched; sorted."""
    required: bool = True
    """Whether the gate depends on it."""
    verdict: Verdict | None = None
    """The last one; it stays when a later read fails."""
    failure: Reason | None = None
    """Why the last read failed."""
    message: str | None = None
    """The same, as a line for people."""
    note: str | None = None
    """What an operator should know, such as that there is no table."""
    last_applied: float | None = None
    """When the newest row was recorded, in seconds since the epoch."""
    succeeded_at: float | None = None
    """When it was last read, in seconds since the epoch."""

    @property
    def reason(self) -> Reason:
        """The group's own reason, whatever the gate makes of it."""
        if self.failure is not None:
            return self.failure
        return Reason.STARTING if self.verdict is None else REASONS[self.verdict.outcome]

    @property
    def count(self) -> int:
        """How many schemas it stands for."""
        return len(self.schemas) or 1


class ReadMemory(msgspec.Struct, frozen=True, kw_only=True):
    """What one read leaves to the next; nobody else uses it."""

    rows: tuple[tuple[str, tuple[str, ...]], ...] | None = None
    """Each distinct set of rows, with its schemas; None before the first read."""
    verdicts: dict[str, Verdict] = {}
    """By the text of the rows: the same bytes are compared once."""
    known: frozenset[str] = frozenset()
    """Of several schemas, those that the gate depends on: read before it opened, or current
    since."""
    migrated: frozenset[str] = frozenset()
    """Of several schemas, those that ever had rows."""


class DatabaseStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A database as it was last read. Times are seconds since the epoch."""

    database: str
    """Its alias in Django's DATABASES."""
    groups: tuple[SchemaGroup, ...]
    """At least one, also before the first read."""
    reads: int = 0
    """How often it was read, failed reads included."""
    read_at: float | None = None
    progress_at: float | None = None
    """When the rows last changed between two reads."""
    duration: float = 0.0
    """How long the last read took, in seconds."""
    run: MigrateRun | None = None
    """A `sidecar migrate` under way."""
    lock_holder: LockHolder | None = None
    """Who holds the migration lock, whether a migrate run or not."""
    timeline: Timeline = Timeline()
    """What was applied; of several schemas it is empty."""
    memory: ReadMemory = ReadMemory()

    @property
    def failure(self) -> Reason | None:
        """Why something of it could not be read; the first reason."""
        return next((group.failure for group in self.groups if group.failure), None)
