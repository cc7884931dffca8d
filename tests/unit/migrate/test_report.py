"""The report of a migrate run."""

import pytest

from sidecar.core.migrations.compare import Outcome, Verdict
from sidecar.core.migrations.manifest import Key, Node
from sidecar.core.migrations.timeline import Applied
from sidecar.migrate.report import Report, Result, advise, build_document, format_report
from sidecar.migrate.retry import Failure

FIRST, SECOND = Key("shop.0001_first"), Key("shop.0002_index")
NODES = {FIRST: Node(FIRST), SECOND: Node(SECOND, atomic=False)}


def report(result: Result = Result.FAILED, *plan: Key, **facts: object) -> Report:
    """Return the report of a run of ten seconds that left this plan."""
    verdict = Verdict(outcome=Outcome.BEHIND, plan=plan, pending=plan)
    fields = {"exit_code": 1, "began": 100.0, "ended": 110.0, "waited": 0.5, "verdict": verdict}
    return Report(result=result, **{**fields, **facts})  # type: ignore[arg-type]


def test_a_failed_run_names_the_migration_and_what_came_before() -> None:
    """Which one failed, what was applied before it, and what to do."""
    run = report(Result.FAILED, SECOND, applied=(Applied(FIRST, 101.0, 1.0),))
    first, last = format_report(run, NODES)
    assert first == (
        "the command failed with 1 after 1 migration, the last shop.0001_first, at shop.0002_index"
    )
    assert last.startswith("next: it is not atomic, so a part of it may be left")


@pytest.mark.parametrize(
    ("run", "begins"),
    [
        (report(Result.FAILED, FIRST), "it is atomic, so nothing of it is left"),
        (report(Result.FAILED), "every migration is applied"),
        (report(Result.FAILED, FIRST, failure=Failure.RACE), "what it makes is there already"),
        (report(Result.FAILED, verdict=None), "the database could not be read"),
        (report(Result.FAILED, FIRST, failure=Failure.CONFLICT), "it is atomic, so nothing"),
        (report(Result.FAILED, verdict=None, error="command not found"), "command not found"),
        (
            report(Result.FAILED, FIRST, options_refused=True),
            "the command reaches the database through",
        ),
        (
            report(verdict=Verdict(outcome=Outcome.INCONSISTENT, inconsistent=((SECOND, FIRST),))),
            "the history is inconsistent",
        ),
    ],
)
def test_every_failure_comes_with_advice(run: Report, begins: str) -> None:
    """What is left depends on whether the migration was atomic, and on what can be seen."""
    assert advise(run, NODES).startswith(begins)


@pytest.mark.parametrize("result", Result)
def test_every_result_has_a_line(result: Result) -> None:
    """A person reads what happened in the first words."""
    lines = format_report(report(result, FIRST, failure=Failure.LOCK), NODES)
    assert lines[0]
    assert (len(lines) == 1) is (result in {Result.NOTHING_TO_DO, Result.APPLIED})


def test_the_document_is_for_scripts() -> None:
    """Times in RFC 3339, durations in seconds, and what failed as an object."""
    run = report(Result.FAILED, FIRST, applied=(Applied(SECOND, 101.0), Applied(FIRST, 102.0, 1.0)))
    document = build_document(run, NODES)
    assert document["seconds"] == 10.0
    assert document["began"] == "1970-01-01T00:01:40.000Z"
    assert [applied["seconds"] for applied in document["applied"]] == [None, 1.0]
    assert document["failed"]["migration"] == FIRST
    assert document["failed"]["atomic"] is True


def test_a_good_run_has_no_failure() -> None:
    """Nothing failed, so there is nothing to explain; an unread database has no pending list."""
    assert build_document(report(Result.APPLIED), NODES)["failed"] is None
    unread = build_document(report(Result.FAILED, verdict=None), NODES)
    assert unread["pending"] is None
    assert unread["failed"]["atomic"] is None
