"""The JSON that scripts read: `check --json`, `/status` and health+json, from a snapshot.

The fields of a target are a contract (README, "check --json"); names are `app.migration`.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sidecar.core.gate.snapshot import REASONS, Snapshot, Target
from sidecar.core.gate.state import Gate, Look, Phase
from sidecar.core.migrations.compare import Verdict
from sidecar.core.migrations.diff import steps
from sidecar.core.migrations.manifest import Key, Manifest, Node
from sidecar.core.migrations.recorded import Run
from sidecar.core.migrations.timeline import Applied, Batch
from sidecar.core.reason import Reason
from sidecar.core.views.text import is_fine, next_step, target_line

Document = dict[str, Any]

EARLIEST: Final = datetime(1, 1, 1, tzinfo=UTC).timestamp()
LATER_THAN_ALL: Final = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()

LATEST: Final = 50
"""How much of the timeline is told."""

NAMED: Final = 20
"""How many of the schemas with the same rows are named."""

LISTS: Final = (
    *("pending", "plan", "inconsistent", "conflicts", "hidden", "lost", "unrecorded"),
    *("optional_pending", "newer", "leftover", "foreign"),
)


def timestamp(epoch: float | None) -> str | None:
    """Return RFC 3339 in UTC, to the millisecond; None also for a time that it cannot tell."""
    if epoch is None or not EARLIEST <= epoch < LATER_THAN_ALL:
        return None
    moment = datetime.fromtimestamp(epoch, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def counts(verdict: Verdict) -> tuple[int, int]:
    """Return how many required migrations there are, and how many of them are satisfied."""
    expected = sum(verdict.expected.values())
    return expected, expected - len(verdict.pending) - len(verdict.hidden)


def target_document(target: Target) -> Document:
    """Return one target; one that could not be read has none of the lists."""
    head: Document = {"database": target.database, "schema": target.schema}
    if target.schemas:
        # Of thousands of tenants the first few are named.
        head |= {"count": target.count, "schemas": target.schemas[:NAMED]}
    if not target.required:
        head["required"] = False
    if target.failure is not None or target.verdict is None:
        return {
            **head,
            "verdict": "unknown",
            "reason": target.reason,
            "message": target.message,
        }
    verdict = target.verdict
    expected, applied = counts(verdict)
    return {
        **head,
        "verdict": verdict.outcome,
        "reason": target.reason,
        "expected": expected,
        "applied": applied,
        **{name: getattr(verdict, name) for name in LISTS},
        "duplicates": verdict.duplicates,
        "pruned": verdict.pruned,
        "graph_error": verdict.graph_error,
        "note": target.note,
        "last_applied": timestamp(target.last_applied),
    }


def check_document(
    targets: Sequence[Target],
    look: Look,
    manifest: Manifest,
    ready: bool,  # noqa: FBT001 - a field of the document
) -> Document:
    """Return what one look found, without a gate: the fields that scripts rely on."""
    reason = look.failure if look.outcome is None else REASONS[look.outcome]
    return {
        "ready": ready,
        "verdict": look.outcome or "unknown",
        "reason": reason,
        "release": manifest.release,
        "manifest": manifest.digest,
        "targets": [target_document(target) for target in targets],
    }


def gate_document(snapshot: Snapshot) -> Document:
    """Return the gate and whom it stands for."""
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
        "next": next_step(gate.holding or gate.reason, snapshot.targets),
        "release": snapshot.identity.release,
        "manifest": snapshot.identity.manifest,
        "django": snapshot.identity.django,
    }


def status_document(snapshot: Snapshot, nodes: Mapping[Key, Node]) -> Document:
    """Return all that is known, with operations and risks of what is pending."""
    return {
        **gate_document(snapshot),
        "targets": [_watched(target, nodes) for target in snapshot.targets],
    }


def _watched(target: Target, nodes: Mapping[Key, Node]) -> Document:
    pending = target.verdict.pending if target.verdict is not None else ()
    ahead = steps([nodes[key] for key in pending])
    return {
        **target_document(target),
        "operations": {step.migration: step.operations for step in ahead},
        "risks": {step.migration: step.risks for step in ahead if step.risks},
        "looked_at": timestamp(target.looked_at),
        "succeeded_at": timestamp(target.succeeded_at),
        "progress_at": timestamp(target.progress_at),
        "took": round(target.took, 6),
        "migrate": run_document(target.run),
        "timeline": [_applied(applied) for applied in target.timeline[-LATEST:]],
        "batch": _batch(target.batch),
    }


def run_document(run: Run | None) -> Document | None:
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


def _applied(applied: Applied) -> Document:
    seconds = None if applied.took is None else round(applied.took, 3)
    return {"migration": applied.key, "applied": timestamp(applied.at), "seconds": seconds}


def _batch(batch: Batch | None) -> Document | None:
    if batch is None:
        return None
    ended = timestamp(batch.ended)
    return {"began": timestamp(batch.began), "ended": ended, "migrations": batch.count}


def health_document(snapshot: Snapshot) -> Document:
    """Return `application/health+json` (draft-inadarei-api-health-check-06)."""
    gate, several = snapshot.gate, len(snapshot.targets) > 1
    status = _health(gate)
    checks: dict[str, list[Document]] = {}
    for target in snapshot.targets:
        check = {
            "componentType": "datastore",
            "status": _health_of(target, snapshot) if several else status,
            "time": timestamp(target.looked_at),
            "output": target_line(target),
        }
        checks.setdefault(f"{target.database}:schema", []).append(check)
    return {
        "status": status,
        "version": snapshot.identity.release or "",
        "releaseId": snapshot.identity.manifest,
        "output": str(gate.holding or gate.reason) if status != "pass" else "",
        "checks": checks,
    }


def _health_of(target: Target, snapshot: Snapshot) -> str:
    """Return the status of one of several targets: which of them it is."""
    if target.reason in {Reason.SCHEMA_CURRENT, Reason.SCHEMA_AHEAD}:
        return "pass" if snapshot.gate.ready or is_fine(target, snapshot) else "fail"
    return "fail" if target.required and not snapshot.gate.ready else "warn"


def _health(gate: Gate) -> str:
    if not gate.ready:
        return "fail"
    return "warn" if gate.phase is Phase.HOLDING else "pass"
