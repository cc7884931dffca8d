"""Metrics for Prometheus, taken in with each snapshot and written when they are asked for.

What is measured, and what it means, stands in `core.measures`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import accumulate

from sidecar.core.gate.snapshot import Snapshot, Target
from sidecar.core.gate.state import Phase
from sidecar.core.migrations.timeline import Applied
from sidecar.outputs.metrics.definitions import FAILURES, MEASURES
from sidecar.outputs.metrics.exposition import END, Sample, chosen, written
from sidecar.outputs.metrics.samples import samples

DURATION, MIGRATIONS = "check_duration_seconds", "migration_duration_seconds"

Families = dict[str, list[Sample]]


class Durations:
    """How often something took at most so many seconds: a histogram."""

    def __init__(self, name: str) -> None:
        """Take the measure's name, which has the buckets."""
        self._bounds = MEASURES[name].buckets
        self._counts = [0] * (len(self._bounds) + 1)
        self._sum = 0.0

    def observe(self, seconds: float) -> None:
        """Count one."""
        at = next((n for n, most in enumerate(self._bounds) if seconds <= most), -1)
        self._counts[at] += 1
        self._sum += seconds

    def samples(self, database: str) -> Iterator[Sample]:
        """Yield the buckets, each with all before it, the count and the sum."""
        bounds = (*map(str, map(float, self._bounds)), "+Inf")
        for bound, count in zip(bounds, accumulate(self._counts), strict=True):
            yield "_bucket", (database, bound), count
        yield "_count", (database,), sum(self._counts)
        yield "_sum", (database,), self._sum


class Metrics:
    """`announce` takes in a snapshot, `render` answers a scrape."""

    def __init__(self, version: str) -> None:
        """Begin to count; nothing is known before the first snapshot."""
        self._version = version
        self._snapshot: Snapshot | None = None
        self._rendered: dict[str, bytes] = {}
        self._written: dict[str, dict[str, tuple[list[Sample], bytes]]] = {}
        self._looks: dict[str, int] = {}
        self._seen: dict[str, int] = {}
        self._phase: Phase | None = None
        self._durations: dict[str, Durations] = {}
        self._migrations: dict[str, Durations] = {}
        self._checks: Counter[tuple[str, str]] = Counter()
        self._transitions: Counter[Phase] = Counter(dict.fromkeys(Phase, 0))

    def announce(self, snapshot: Snapshot) -> None:
        """Take in what is new; a scrape reads it from memory."""
        self._snapshot = snapshot
        self._rendered.clear()
        for database, targets in by_database(snapshot.targets).items():
            self._take_in(database, targets)
        if snapshot.gate.phase is not self._phase:
            self._phase = snapshot.gate.phase
            self._transitions[self._phase] += 1

    def _take_in(self, database: str, targets: Sequence[Target]) -> None:
        target = targets[0]  # All of a database are looked at together.
        if database not in self._looks:
            self._durations[database] = Durations(DURATION)
            self._migrations[database] = Durations(MIGRATIONS)
            # A series that begins with its first failure has no increase to show.
            self._checks.update(dict.fromkeys(((database, of) for of in ("ok", *FAILURES)), 0))
        if target.looks != self._looks.get(database, 0):
            self._durations[database].observe(target.took)
            failure = next((each.failure for each in targets if each.failure), None)
            self._checks[database, failure or "ok"] += 1
        self._looks[database] = target.looks
        for applied in unseen(target, self._seen.get(database, 0)):
            if applied.took is not None:
                self._migrations[database].observe(applied.took)
        self._seen[database] = target.seen

    def render(self, accept: str) -> tuple[bytes, str]:
        """Return body and content type for a scrape with this Accept header."""
        content_type = chosen(accept)
        if content_type not in self._rendered:
            self._rendered[content_type] = self._write(content_type)
        return self._rendered[content_type], content_type

    def _write(self, content_type: str) -> bytes:
        """Return all metrics; those that are as they were need not be written anew.

        Most are, from one look to the next, and writing is what a scrape costs.
        """
        families = self._families()
        before = self._written.setdefault(content_type, {})
        for name, measure in MEASURES.items():
            found = families[name]
            if name not in before or before[name][0] != found:
                before[name] = found, written(name, measure, found, content_type)
        return b"".join(text for _, text in before.values()) + END[content_type]

    def _families(self) -> Families:
        """Return what is known of each measure."""
        families: Families = defaultdict(list)
        families["build_info"] = [("", (self._version,), 1)]
        families["gate_transitions"] = [("", (to,), n) for to, n in self._transitions.items()]
        families["checks"] = [("", key, count) for key, count in self._checks.items()]
        for name, found in ((DURATION, self._durations), (MIGRATIONS, self._migrations)):
            families[name] = [one for key, each in found.items() for one in each.samples(key)]
        if self._snapshot is not None:
            for name, labels, value in samples(self._snapshot):
                families[name].append(("", labels, value))
            of = self._snapshot.identity
            families["info"] = [("", (of.release or "", of.manifest, of.django), 1)]
        return families


def by_database(targets: Sequence[Target]) -> dict[str, list[Target]]:
    """Return the targets of each database."""
    found: dict[str, list[Target]] = defaultdict(list)
    for target in targets:
        found[target.database].append(target)
    return found


def unseen(target: Target, known: int) -> tuple[Applied, ...]:
    """Return what was seen being applied since so many were known, as far as it is kept."""
    new = target.seen - known
    return target.timeline[-new:] if new > 0 else ()
