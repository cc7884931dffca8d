"""What a look at `django_migrations` brought back."""

import msgspec

from sidecar.core.manifest import Key


class Recorded(msgspec.Struct, frozen=True):
    """The recorded migrations of one schema, as the database wrote them: one key a line.

    Kept as the one value that came over the wire, so that a look which brings the same
    bytes costs no comparison.
    """

    text: str
    schema: str | None = None
    last_applied: float | None = None
    """When the newest row was recorded, in seconds since the epoch."""
    note: str | None = None
    """What an operator should know, such as that there is no table."""

    def keys(self) -> list[Key]:
        """Return the recorded keys in the order of their ids, duplicates included."""
        return [Key(line) for line in self.text.split("\n")] if self.text else []
