"""The body of `/readyz?verbose`: each check on a line, as the Kubernetes API server writes it."""

from typing import Final

from sidecar.core.gate.database_status import DatabaseStatus, SchemaGroup
from sidecar.core.gate.snapshot import Snapshot
from sidecar.core.gate.state import Phase
from sidecar.core.reason import Reason
from sidecar.core.views.next_step import next_step
from sidecar.core.views.text import describe_group, escape, name_group, timestamp

MAX_PROBE_PENDING: Final = 5
"""How many pending migrations a verbose probe names."""

ABOUT_SCHEMAS: Final = frozenset(
    reason for reason in Reason if reason.startswith(("schema_", "history_", "database_"))
)
"""Reasons that are those of a group, and not of the gate alone."""


def format_verbose(snapshot: Snapshot) -> str:
    """Return each check on a line, then the gate, then what to do."""
    gate = snapshot.gate
    lines: list[str] = []
    for database, group in snapshot.targets():
        ready = gate.ready or _is_not_the_cause(group, snapshot)
        lines += _check_lines(database, group, ready=ready)
    since = timestamp(gate.since + snapshot.epoch)
    held = f", holding: {gate.holding}" if gate.holding else ""
    outcome = "passed" if gate.ready else "failed"
    lines.append(f"readyz check {outcome}: {gate.reason}{held} since {since}")
    if not gate.ready or gate.phase is Phase.HOLDING:
        lines.append(f"next: {next_step(gate.holding or gate.reason, snapshot.databases)}")
    return "\n".join(map(escape, lines)) + "\n"


def _check_lines(database: DatabaseStatus, group: SchemaGroup, *, ready: bool) -> list[str]:
    text, name = describe_group(database, group), name_group(database, group)
    if not ready:
        lines = [f"[-]{name} {text}"]
    elif text == group.reason and group.failure is None:
        return [f"[+]{name} ok"]
    else:
        lines = [f"[+]{name} ok, warning: {text}"]
    verdict = group.verdict if group.failure is None else None
    pending = () if verdict is None else verdict.pending
    lines += [f"    pending {key}" for key in pending[:MAX_PROBE_PENDING]]
    if len(pending) > MAX_PROBE_PENDING:
        lines.append(f"    and {len(pending) - MAX_PROBE_PENDING} more")
    return lines


def _is_not_the_cause(group: SchemaGroup, snapshot: Snapshot) -> bool:
    """Return whether the gate is not ready because of another group and not of this one."""
    gate = snapshot.gate
    good = group.reason is Reason.SCHEMA_CURRENT or (
        group.reason is Reason.SCHEMA_AHEAD and gate.reason is not Reason.SCHEMA_AHEAD
    )
    blamed = not (good and gate.reason in ABOUT_SCHEMAS)
    return len([*snapshot.targets()]) > 1 and (not blamed or not group.required)
