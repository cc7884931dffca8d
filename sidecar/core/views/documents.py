"""The JSON that scripts read: `check --json` and `/status`, from a snapshot.

The fields of a target are a contract (docs/cli.md); names are `app.migration`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from sidecar.core.gate.database_status import REASONS, DatabaseStatus, SchemaGroup
from sidecar.core.gate.snapshot import Snapshot, each_group
from sidecar.core.gate.state import PollResult
from sidecar.core.migrations.compare import Verdict
from sidecar.core.migrations.diff import steps
from sidecar.core.migrations.manifest import Key, Manifest, Node
from sidecar.core.migrations.recorded import LockHolder, MigrateRun
from sidecar.core.migrations.timeline import Applied, Batch
from sidecar.core.views.next_step import next_step
from sidecar.core.views.text import timestamp

Document = dict[str, Any]

MAX_TIMELINE: Final = 50
"""How many of the last applied migrations are listed."""

MAX_SCHEMAS: Final = 20
"""How many of the schemas with the same rows are named."""

LISTS: Final = (
    *("pending", "plan", "inconsistent", "conflicts", "hidden", "lost", "lost_harmless"),
    *("unrecorded", "optional_pending", "newer", "leftover", "foreign"),
)


def counts(verdict: Verdict) -> tuple[int, int]:
    """Return how many required migrations there are, and how many of them are satisfied."""
    expected = sum(verdict.expected.values())
    return expected, expected - len(verdict.pending) - len(verdict.hidden)


def target_document(database: DatabaseStatus, group: SchemaGroup) -> Document:
    """Return one group of schemas; one that could not be read has none of the lists."""
    head: Document = {"database": database.database, "schema": group.schema}
    if group.schemas:
        # Of thousands of tenants the first few are named.
        head |= {"count": group.count, "schemas": group.schemas[:MAX_SCHEMAS]}
    if not group.required:
        head["required"] = False
    if group.failure is not None or group.verdict is None:
        return {
            **head,
            "verdict": "unknown",
            "reason": group.reason,
            "message": group.message,
        }
    verdict = group.verdict
    expected, applied = counts(verdict)
    return {
        **head,
        "verdict": verdict.outcome,
        "reason": group.reason,
        "expected": expected,
        "applied": applied,
        **{name: getattr(verdict, name) for name in LISTS},
        "duplicates": verdict.duplicates,
        "pruned": verdict.pruned,
        "graph_error": verdict.graph_error,
        "note": group.note,
        "last_applied": timestamp(group.last_applied),
    }


def check_document(
    databases: Sequence[DatabaseStatus],
    result: PollResult,
    manifest: Manifest,
    *,
    ready: bool,
) -> Document:
    """Return what one poll found, without a gate: the fields that scripts rely on."""
    reason = result.failure if result.outcome is None else REASONS[result.outcome]
    return {
        "ready": ready,
        "verdict": result.outcome or "unknown",
        "reason": reason,
        "release": manifest.release,
        "manifest": manifest.digest,
        "targets": [target_document(*target) for target in each_group(databases)],
    }


def gate_document(snapshot: Snapshot) -> Document:
    """Return the gate and the release that it is for."""
    gate = snapshot.gate
    opened = None if gate.opened_at is None else gate.opened_at + snapshot.epoch
    return {
        "ready": gate.ready,
        "phase": gate.phase,
        "reason": gate.reason,
        "holding": gate.holding,
        "since": timestamp(gate.since + snapshot.epoch),
        "opened_at": timestamp(opened),
        "started_at": timestamp(snapshot.started_at + snapshot.epoch),
        "next": next_step(gate.holding or gate.reason, snapshot.databases),
        "release": snapshot.identity.release,
        "manifest": snapshot.identity.manifest,
        "django": snapshot.identity.django,
    }


def status_document(snapshot: Snapshot, nodes: Mapping[Key, Node]) -> Document:
    """Return all that is known, with operations and risks of what is pending."""
    return {
        **gate_document(snapshot),
        "targets": [_full_target(*target, nodes) for target in snapshot.targets()],
    }


def _full_target(
    database: DatabaseStatus, group: SchemaGroup, nodes: Mapping[Key, Node]
) -> Document:
    pending = group.verdict.pending if group.verdict is not None else ()
    ahead = steps([nodes[key] for key in pending])
    return {
        **target_document(database, group),
        "operations": {step.migration: step.operations for step in ahead},
        "risks": {step.migration: step.risks for step in ahead if step.risks},
        "read_at": timestamp(database.read_at),
        "succeeded_at": timestamp(group.succeeded_at),
        "progress_at": timestamp(database.progress_at),
        "read_seconds": round(database.duration, 6),
        "migrate": run_document(database.run),
        "lock_holder": _holder(database.lock_holder),
        "timeline": [_applied(applied) for applied in database.timeline.applied[-MAX_TIMELINE:]],
        "batch": _batch(database.timeline.batch),
    }


def run_document(run: MigrateRun | None) -> Document | None:
    """Return a `sidecar migrate` under way, and what blocks it."""
    if run is None:
        return None
    return {
        "since": timestamp(run.since),
        "waiting": run.waiting,
        "blocked_since": timestamp(run.blocked_since),
        "blockers": [
            {
                "pid": blocker.pid,
                "application": blocker.application,
                "state": blocker.state,
                "since": timestamp(blocker.since),
            }
            for blocker in run.blockers
        ],
    }


def _holder(holder: LockHolder | None) -> Document | None:
    if holder is None:
        return None
    return {**msgspec.structs.asdict(holder), "since": timestamp(holder.since)}


def _applied(applied: Applied) -> Document:
    seconds = None if applied.took is None else round(applied.took, 3)
    return {"migration": applied.key, "applied": timestamp(applied.at), "seconds": seconds}


def _batch(batch: Batch | None) -> Document | None:
    if batch is None:
        return None
    ended = timestamp(batch.ended)
    return {"began": timestamp(batch.began), "ended": ended, "migrations": batch.count}
