"""What a person is told: one line for a target, one line for the gate, and what to do next."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from sidecar.core.gate.snapshot import Snapshot, Target
from sidecar.core.gate.state import Gate, Phase
from sidecar.core.migrations.compare import Verdict
from sidecar.core.migrations.recorded import Blocker, Run
from sidecar.core.reason import Reason

FEW: Final = 3
"""How many of many are named on one line."""


def target_line(target: Target) -> str:
    """Return why a target is as it is, such as `schema_behind: 3 pending, next shop.0042_price`."""
    if target.failure is not None:
        return f"{target.failure}: {target.message}"
    if target.verdict is None:
        return str(target.reason)
    details = [*verdict_details(target.verdict), *([target.note] if target.note else [])]
    if target.run is not None:
        details.append(f"migrate {run_line(target.run)}")
    return f"{target.reason}: {', '.join(details)}" if details else str(target.reason)


def verdict_details(verdict: Verdict) -> list[str]:
    """Return what is worth saying of a verdict, the worst first."""
    details = []
    if verdict.graph_error:
        details.append(verdict.graph_error)
    details += [f"{child} is applied before {parent}" for child, parent in verdict.inconsistent[:1]]
    details += [f"conflict between {' and '.join(group)}" for group in verdict.conflicts[:1]]
    if verdict.hidden:
        details.append(f"{_some(verdict.hidden)} hidden")
    if verdict.pending:
        details.append(f"{len(verdict.pending)} pending, next {verdict.pending[0]}")
    if verdict.pruned:
        details.append("pruned by a newer release (see on_pruned)")
    if verdict.newer:
        details.append(f"{len(verdict.newer)} newer, last {verdict.newer[-1]}")
    if verdict.optional_pending:
        details.append(f"{len(verdict.optional_pending)} optional pending")
    if verdict.lost:
        details.append(f"{_some(verdict.lost)} lost")
    return details


def run_line(run: Run) -> str:
    """Return what is known of a run of migrate, such as `running since 03:00:12Z, 2 waiting`."""
    since = None if run.since is None else clock(run.since)
    parts = [f"running since {since}" if since else "its last statements end"]
    if run.waiting:
        parts.append(f"{run.waiting} waiting")
    if run.blocked_since is not None:
        blockers = " and ".join(map(_blocker, run.blockers)) or "another session"
        parts.append(f"blocked since {clock(run.blocked_since)} by {blockers}")
    return ", ".join(parts)


def _blocker(blocker: Blocker) -> str:
    since = f"since {clock(blocker.since)}" if blocker.since is not None else ""
    known = " ".join(filter(None, [blocker.state, since]))
    facts = ", ".join(filter(None, [blocker.application, known]))
    return f"pid {blocker.pid}" + (f" ({facts})" if facts else "")


def clock(epoch: float) -> str:
    """Return the time of day, in UTC."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%H:%M:%SZ")


def gate_line(gate: Gate, targets: Sequence[Target]) -> str:
    """Return the gate's reason with what lies behind it, on one line."""
    text = f"{gate.reason} (holding: {gate.holding})" if gate.holding else str(gate.reason)
    if gate.phase is Phase.DRAINING:
        return text
    said = str(gate.holding or gate.reason)
    lines = []
    for target in targets:
        line = target_line(target).removeprefix(said).removeprefix(": ")
        if line and (len(targets) == 1 or target.reason is not Reason.SCHEMA_CURRENT):
            lines.append(f"{place(target)}: {line}" if len(targets) > 1 else line)
    if len(lines) > FEW:
        lines[FEW:] = [f"and {len(lines) - FEW} more"]
    return ": ".join([text, *filter(None, ["; ".join(lines)])])


def place(target: Target) -> str:
    """Return a target's name: its database, and its schemas where there are several."""
    return f"{target.database} {schemas(target)}" if target.schemas else target.database


def schemas(target: Target) -> str:
    """Return the name of a target's schema, or how many have the same rows and the first few."""
    if target.count == 1:
        return target.schema or "-"
    more = f" and {target.count - FEW} more" if target.count > FEW else ""
    return f"{target.count} schemas ({', '.join(target.schemas[:FEW])}{more})"


CLOSING: Final = frozenset(
    reason for reason in Reason if reason.startswith(("schema_", "history_", "database_"))
)
"""Reasons that are those of a target, and not of the gate alone."""

NEXT = {
    Reason.SCHEMA_CURRENT: "nothing to do",
    Reason.SCHEMA_AHEAD: "a newer release has migrated; finish the deploy or the rollback",
    Reason.SCHEMA_BEHIND: "apply the migrations: {commands}",
    Reason.HISTORY_INCONSISTENT: "compare django_migrations with the code: "
    "python manage.py migrate --plan",
    Reason.MIGRATE_RUNNING: "wait until the running migrate has ended",
    Reason.DATABASE_UNREACHABLE: "check that the database runs and that this host may reach it",
    Reason.DATABASE_DENIED: "check user, password, database name and grants of the sidecar's role",
    Reason.DATABASE_TIMEOUT: "check the database for load and for locks on django_migrations",
    Reason.STARTING: "wait for the first look at the database",
    Reason.DRAINING: "nothing to do; the pod is going away",
}
"""What to do next, by reason."""


def next_step(reason: Reason, targets: Sequence[Target]) -> str:
    """Return what to do next; where a migrate is under way, that is not to start another."""
    runs = [target.run for target in targets if target.run is not None]
    if not runs or reason is not Reason.SCHEMA_BEHIND:
        return NEXT[reason].format(commands=_commands(targets))
    if all(run.blocked_since is None for run in runs):
        return NEXT[Reason.MIGRATE_RUNNING]
    return "end what blocks the running migrate: SELECT pg_terminate_backend(pid)"


def _commands(targets: Sequence[Target]) -> str:
    """Return what migrates the databases that are behind; Django takes one at a time."""
    behind = [t.database for t in targets if t.required and t.reason is Reason.SCHEMA_BEHIND]
    options = {name: "" if name == "default" else f" --database={name}" for name in behind}
    return " && ".join(f"python manage.py migrate{each}" for each in (options or {"": ""}).values())


def is_fine(target: Target, snapshot: Snapshot) -> bool:
    """Tell whether the gate is shut for another target and not for this one."""
    gate = snapshot.gate
    good = target.reason is Reason.SCHEMA_CURRENT or (
        target.reason is Reason.SCHEMA_AHEAD and gate.reason is not Reason.SCHEMA_AHEAD
    )
    blamed = not (good and gate.reason in CLOSING)
    return len(snapshot.targets) > 1 and (not blamed or not target.required)


def _some(keys: Sequence[str]) -> str:
    return keys[0] if len(keys) == 1 else f"{keys[0]} and {len(keys) - 1} more"
