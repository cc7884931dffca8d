"""Sort the rows that the manifest does not know into newer, leftover and foreign."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from sidecar.core.migrations.manifest import Key, Manifest, app_of


def sort_unknown_rows(
    manifest: Manifest, recorded: Sequence[Key], rows: AbstractSet[Key]
) -> tuple[tuple[Key, ...], tuple[Key, ...], tuple[Key, ...]]:
    """Return the newer, the leftover and the foreign rows, each in the order of their ids."""
    unknown = rows - manifest.known
    if not unknown:
        return (), (), ()
    positions = {key: at for at, key in enumerate(recorded) if key in unknown}
    backwards = range(len(recorded) - 1, -1, -1)
    overall = next((at for at in backwards if recorded[at] not in unknown), -1)
    late: AbstractSet[Key] = unknown
    if min(positions.values()) < overall:  # else all came last, as after a newer release
        # Where an app has no known row yet, a newer release's first migration of it comes
        # after everything known; the rows of files long deleted come before.
        last = {app_of(key): at for at, key in enumerate(recorded) if key not in unknown}
        late = {key for key, at in positions.items() if at > last.get(app_of(key), overall)}
    ours = {key for key in unknown if app_of(key) in manifest.apps}
    newer, leftover = ours & late, ours - late
    return (
        tuple(key for key in positions if key in newer),
        tuple(key for key in positions if key in leftover),
        tuple(key for key in positions if key not in ours),
    )
