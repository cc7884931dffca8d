"""The report of a migrate run, as log lines and as a JSON document."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec

from sidecar.core.migrations.compare import Verdict
from sidecar.core.migrations.manifest import Key, Node
from sidecar.core.migrations.timeline import Applied
from sidecar.core.views.documents import Document
from sidecar.core.views.text import timestamp
from sidecar.migrate.retry import Failure


class Result(StrEnum):
    """How a migrate run ended."""

    NOTHING_TO_DO = "nothing_to_do"
    APPLIED = "applied"
    INCOMPLETE = "incomplete"
    """The command exited with 0, and required migrations are still pending."""
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    LOST_LOCK = "lost_lock"


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One migrate run. Times are seconds since the epoch, durations seconds."""

    result: Result
    exit_code: int
    began: float
    ended: float
    waited: float
    """How long it waited for the migration lock."""
    attempts: int = 0
    """How often the command was started."""
    error: str | None = None
    """Why the run could not begin, or had to end."""
    database: str = "default"
    failure: Failure | None = None
    """Why the last attempt failed, where that is known."""
    options_refused: bool = False
    """Whether the command's connection refused PGOPTIONS, as a pooler does."""
    applied: tuple[Applied, ...] = ()
    verdict: Verdict | None = None
    """The verdict at the end; None when the database could not be read."""
    schema: str | None = None

    @property
    def stopped_at(self) -> Key | None:
        """The first migration that the command did not apply; None when nothing is pending."""
        if self.verdict is None or not self.verdict.plan:
            return None
        return self.verdict.plan[0]


ATOMIC_ADVICE: Final = (
    "it is atomic, so nothing of it is left: fix the cause, and run migrate again"
)

NOT_ATOMIC_ADVICE: Final = (
    "it is not atomic, so a part of it may be left: compare the schema with its operations "
    "before running migrate again (an interrupted CREATE INDEX CONCURRENTLY leaves an invalid "
    "index: drop it first)"
)

NOT_RECORDED_ADVICE: Final = (
    "what it makes is there already. Either another migrate still runs, or a crash came between "
    "its commit and that of the row which records it: compare the schema with its operations, and "
    "if all is there"
)


def advise(report: Report, nodes: Mapping[Key, Node]) -> str:
    """Return what to do after this run, on one line; `nodes` are the manifest's migrations."""
    verdict, stopped = report.verdict, report.stopped_at
    if report.options_refused:
        return (
            "the command reaches the database through a pooler that takes no PGOPTIONS: give it "
            "the server's own address, or set pgoptions=off"
        )
    if verdict is None and report.error:
        return report.error
    if verdict is None:
        return "the database could not be read: run sidecar check once it answers"
    if verdict.inconsistent or verdict.graph_error or verdict.conflicts:
        return "the history is inconsistent: see sidecar check"
    if stopped is None:
        return "every migration is applied: what failed came after the last one (post_migrate)"
    if report.failure is Failure.RACE:
        return f"{NOT_RECORDED_ADVICE}: manage.py migrate --fake {stopped.replace('.', ' ', 1)}"
    return ATOMIC_ADVICE if nodes[stopped].atomic else NOT_ATOMIC_ADVICE


RESULT_TEXTS: Final = {
    Result.INCOMPLETE: "the command exited with 0, but not everything that must be applied is",
    Result.FAILED: "the command failed with {}",
    Result.INTERRUPTED: "interrupted ({})",
    Result.LOST_LOCK: "the migration lock was lost, so the command was stopped",
}


def format_report(report: Report, nodes: Mapping[Key, Node]) -> list[str]:
    """Return log lines: what happened, and after a failure what to do next."""
    duration = report.ended - report.began
    last = report.applied[-1].key if report.applied else None
    if report.result is Result.NOTHING_TO_DO:
        return ["nothing to do: every migration is applied"]
    if report.result is Result.APPLIED:
        return [f"applied {_format_count(len(report.applied))} in {duration:.1f} s"]
    text = RESULT_TEXTS[report.result].format(report.exit_code)
    why = f": {report.failure}" if report.failure else ""
    after = f" after {_format_count(len(report.applied))}, the last {last}" if last else ""
    at = f", at {report.stopped_at}" if report.stopped_at else ""
    return [f"{text}{after}{at}{why}", f"next: {advise(report, nodes)}"]


def build_document(report: Report, nodes: Mapping[Key, Node]) -> Document:
    """Return the JSON document (docs/migrate.md): times in RFC 3339, durations in seconds."""
    stopped = report.stopped_at
    good = report.result in {Result.NOTHING_TO_DO, Result.APPLIED}
    failed = {
        "migration": stopped,
        "atomic": nodes[stopped].atomic if stopped is not None else None,
        "why": report.failure or report.error,
        "next": advise(report, nodes),
    }
    return {
        "result": report.result,
        "exit_code": report.exit_code,
        "database": report.database,
        "schema": report.schema,
        "began": timestamp(report.began),
        "ended": timestamp(report.ended),
        "seconds": round(report.ended - report.began, 3),
        "waited_seconds": round(report.waited, 3),
        "attempts": report.attempts,
        "applied": [
            {
                "migration": applied.key,
                "applied": timestamp(applied.at),
                "seconds": None if applied.took is None else round(applied.took, 3),
            }
            for applied in report.applied
        ],
        "pending": None if report.verdict is None else report.verdict.pending,
        "failed": None if good else failed,
    }


def _format_count(count: int) -> str:
    return f"{count} migration{'' if count == 1 else 's'}"
