"""The property itself: for one project and one set of rows, Django's answer and ours.

Ours goes the whole way: `render_manifest` resolves the edges, `manifest.decode` validates,
`databases.postgres` reads the rows that Django reads, `graph.compare` judges.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from equivalence import django_side
from equivalence.django_side import Answer
from equivalence.projects import Case, app_of
from sidecar.baker.manifest import render_manifest
from sidecar.core.migrations.compare import Outcome, Verdict, check, compare
from sidecar.core.migrations.graph import GraphBuilder
from sidecar.core.migrations.manifest import Key, Manifest, decode
from sidecar.databases.base import Address, Database, connect
from sidecar.errors import ManifestError
from support.postgres import Server

READY = (Outcome.CURRENT, Outcome.AHEAD)


class Disagreement(AssertionError):
    """Django and we differ; one subclass a question, so that each is minimised by itself."""


QUESTIONS = (
    *("empty_database", "graph_error", "nodes", "edges", "applied", "violation"),
    *("all_violations", "conflicts", "plan", "pending", "unrecorded", "hidden", "expected"),
    *("lost", "duplicates", "sound", "complete"),
)
ERRORS = {name: type(name, (Disagreement,), {}) for name in QUESTIONS}


@dataclass(frozen=True, slots=True)
class Facts:
    """What a case was an example of."""

    refused: bool = False
    squashes: bool = False
    halved: bool = False
    graph_error: bool = False
    inconsistent: bool = False
    hidden: bool = False


class World:
    """A database that both sides read."""

    def __init__(self, connection: Any, database: Database, runner: asyncio.Runner) -> None:
        """Take Django's connection and our own."""
        self.connection, self._database, self._runner = connection, database, runner

    def rows(self) -> list[Key]:
        """Return the recorded migrations, read by `sidecar.databases.postgres.reader`."""
        return self._runner.run(self._database.read()).keys()

    def ask(self, case: Case) -> tuple[Answer, Verdict]:
        """Return both answers."""
        django_side.record(self.connection, case.rows)
        manifest = decode(bake(django_side.load_on_empty_database(case.project)[0]))
        return django_side.ask(self.connection, case), compare(manifest, self.rows())

    def check(self, case: Case) -> Facts:
        """Raise Disagreement unless both sides agree on everything."""
        manifest, refused = self._compare_refusals(case)
        if manifest is None or not case.project.files:
            return Facts(refused=True)
        django_side.record(self.connection, case.rows)
        django = django_side.ask(self.connection, case)
        ours = compare(manifest, self.rows())
        if not django.error:
            self._compare_graphs(case, django, manifest)
        self._compare(case, django, ours)
        if ours.inconsistent:
            self._compare_violations(case, ours)
        return _classify(case, ours, refused=refused)

    def _compare_refusals(self, case: Case) -> tuple[Manifest | None, bool]:
        """Compare the refusals of a bake; return the manifest, if there can be one."""
        loader, theirs = django_side.load_on_empty_database(case.project)
        if not case.project.files:
            theirs = "no migrations"
        manifest, ours = None, None
        try:
            manifest = decode(bake(loader))
            check(manifest)
        except (ManifestError, *django_side.REFUSALS) as error:
            ours = f"{type(error).__name__}: {error}"
        _agree("empty_database", case, theirs, ours, same=bool(theirs) == bool(ours))
        # Squashes that replace each other in a cycle have no answer with any rows.
        return manifest if "CommandError" not in (theirs or "") else None, bool(theirs)

    def _compare_graphs(self, case: Case, django: Answer, manifest: Manifest) -> None:
        """What the plan rests on: a wrong edge need not show in it."""
        graph, applied = GraphBuilder(manifest).build(frozenset(map(Key, case.rows)))
        edges = {(child, parent) for child, parents in graph.parents.items() for parent in parents}
        _agree("nodes", case, sorted(django.nodes), sorted(graph.nodes))
        _agree("edges", case, sorted(django.edges), sorted(edges))
        _agree("applied", case, sorted(django.applied), sorted(applied))

    def _compare(self, case: Case, django: Answer, ours: Verdict) -> None:
        error = ours.graph_error
        _agree("graph_error", case, django.error, error, same=bool(django.error) == bool(error))
        if not error:
            named = django.violation in (ours.inconsistent or (None,))
            _agree("violation", case, django.violation, ours.inconsistent, same=named)
            _agree("conflicts", case, django.conflicts, ours.conflicts)
            _agree("plan", case, django.plan, ours.plan)
            _agree("pending", case, django.plan, ours.pending)
            _agree("unrecorded", case, sorted(django.records), sorted(ours.unrecorded))
            _agree("hidden", case, _find_hidden(case, django), ours.hidden)
            lost = sorted((*ours.lost, *ours.lost_harmless))
            _agree("lost", case, _find_lost(case, django), lost)
            _agree("expected", case, Counter(map(app_of, django.nodes)), Counter(ours.expected))
        _agree("duplicates", case, len(case.rows) - len(set(case.rows)), ours.duplicates)
        ready = ours.outcome in READY
        _agree("sound", case, django, ours, same=django.content or not ready)
        overlooked = (*ours.hidden, *ours.lost)
        _agree("complete", case, django, ours, same=ready or not django.content or overlooked != ())

    def _compare_violations(self, case: Case, ours: Verdict) -> None:
        """Django names the first violation in the order of the rows: put each of ours there."""
        loader = django_side.build_loader(self.connection, case)
        children = {child for child, _ in ours.inconsistent}
        others = [row for row in case.rows if row not in children]
        for first in sorted(children):
            found = self._first_violation(loader, [first, *others, *sorted(children - {first})])
            same = found in ours.inconsistent and found[0] == first
            _agree("all_violations", case, found, ours.inconsistent, same=same)
        found = self._first_violation(loader, [*others, *sorted(children)])
        _agree("all_violations", case, found, ours.inconsistent, same=found in ours.inconsistent)

    def _first_violation(
        self, loader: django_side.Loader, rows: Sequence[str]
    ) -> tuple[str, str] | None:
        django_side.record(self.connection, rows, in_order=True)
        return django_side.find_violation(self.connection, loader)


def bake(loader: django_side.Loader) -> bytes:
    """Bake: return the manifest's bytes."""
    return render_manifest(loader, {}).encode()


@contextmanager
def open_world(server: Server) -> Iterator[World]:
    """Set up Django on this server, and our reader beside it, in a database of their own."""
    server.execute(f"CREATE DATABASE {django_side.DATABASE}")
    address = Address(url=server.url(django_side.DATABASE), connect_timeout=30, read_timeout=30)
    with asyncio.Runner() as runner:
        connection, database = django_side.set_up(server), connect(address)
        try:
            yield World(connection, database, runner)
        finally:
            runner.run(database.release())
            connection.close()


def _agree(
    question: str, case: Case, django: object, ours: object, *, same: bool | None = None
) -> None:
    if not (django == ours if same is None else same):
        raise ERRORS[question](f"{question}\n{case}\nDjango: {django}\nwe:     {ours}")


def _find_hidden(case: Case, django: Answer) -> tuple[str, ...]:
    """Return what Django's graph holds unapplied and its plan overlooks (SEMANTICS.md)."""
    recorded = set(case.project.squashes) & set(case.rows)
    return tuple(sorted(django.nodes - django.applied - set(django.plan) - recorded))


def _find_lost(case: Case, django: Answer) -> list[str]:
    """Return what has no row and no node, and only half-applied squashes stand for it."""
    rows, halved, covered = set(case.rows), set[str](), set[str]()
    for squash in case.project.squashes:
        if app_of(squash) in case.project.unmigrated:
            continue
        originals = set(case.project.originals(squash))
        if squash in django.nodes or squash in rows:
            covered |= originals
        elif originals & rows and originals - rows:
            halved |= originals
    return sorted(halved - covered - rows - django.nodes)


def _classify(case: Case, ours: Verdict, *, refused: bool) -> Facts:
    rows = set(case.rows)
    return Facts(
        refused=refused,
        squashes=bool(case.project.squashes),
        halved=any(
            rows & set(replaced) and set(replaced) - rows
            for replaced in case.project.squashes.values()
        ),
        graph_error=ours.graph_error is not None,
        inconsistent=ours.inconsistent != (),
        hidden=ours.hidden != (),
    )
