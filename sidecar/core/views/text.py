"""Text for people: one line for a group of schemas, a migrate run, the gate."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from sidecar.core.gate.database_status import DatabaseStatus, SchemaGroup
from sidecar.core.gate.snapshot import each_group
from sidecar.core.gate.state import Gate, Phase
from sidecar.core.migrations.compare import Verdict
from sidecar.core.migrations.recorded import Blocker, LockHolder, MigrateRun
from sidecar.core.reason import Reason

MAX_NAMED: Final = 3
"""How many of many are named on one line."""

EARLIEST: Final = datetime(1, 1, 1, tzinfo=UTC).timestamp()
LATEST: Final = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()


def escape(text: str) -> str:
    """Return text in which Python's escapes stand for what is not printable.

    Names and messages of a database, and of other sessions, could otherwise control a
    terminal or forge a line.
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def describe_group(database: DatabaseStatus, group: SchemaGroup) -> str:
    """Return why a group is as it is, such as `schema_behind: 3 pending, next shop.0042_price`."""
    if group.failure is not None:
        return f"{group.failure}: {group.message}"
    if group.verdict is None:
        return str(group.reason)
    details = [*describe_verdict(group.verdict), *([group.note] if group.note else [])]
    if database.run is not None:
        details.append(f"migrate {describe_run(database.run)}")
    return f"{group.reason}: {', '.join(details)}" if details else str(group.reason)


def describe_verdict(verdict: Verdict) -> list[str]:
    """Return what is notable in a verdict, the worst first."""
    details = []
    if verdict.graph_error:
        details.append(verdict.graph_error)
    details += [f"{child} is applied before {parent}" for child, parent in verdict.inconsistent[:1]]
    details += [f"conflict between {' and '.join(group)}" for group in verdict.conflicts[:1]]
    if verdict.hidden:
        details.append(f"{_name_some(verdict.hidden)} hidden")
    if verdict.lost:
        details.append(f"{_name_some(verdict.lost)} lost")
    if verdict.pending:
        details.append(f"{len(verdict.pending)} pending, next {verdict.pending[0]}")
    if verdict.pruned:
        details.append("pruned by a newer release (see on_pruned)")
    if verdict.newer:
        details.append(f"{len(verdict.newer)} newer, last {verdict.newer[-1]}")
    if verdict.optional_pending:
        details.append(f"{len(verdict.optional_pending)} optional pending")
    if verdict.lost_harmless:
        details.append(f"{_name_some(verdict.lost_harmless)} lost, but harmless")
    return details


def describe_run(run: MigrateRun) -> str:
    """Return what is known of a migrate run, such as `running since 03:00:12Z, 2 waiting`."""
    since = None if run.since is None else time_of_day(run.since)
    parts = [f"running since {since}" if since else "finishing its last statements"]
    if run.waiting:
        parts.append(f"{run.waiting} waiting")
    if run.blocked_since is not None:
        blockers = " and ".join(map(_describe_blocker, run.blockers)) or "another session"
        parts.append(f"blocked since {time_of_day(run.blocked_since)} by {blockers}")
    return ", ".join(parts)


def describe_holder(holder: LockHolder) -> str:
    """Return who holds the migration lock; of one who cannot be migrating, also how to end it."""
    role = f", role {holder.role}" if holder.role else ""
    since = f", since {time_of_day(holder.since)}" if holder.since is not None else ""
    end = f", who may not migrate: SELECT pg_terminate_backend({holder.pid})"
    return f"held by pid {holder.pid}{role}{since}{'' if holder.trusted else end}"


def _describe_blocker(blocker: Blocker) -> str:
    since = f"since {time_of_day(blocker.since)}" if blocker.since is not None else ""
    known = " ".join(filter(None, [blocker.state, since]))
    facts = ", ".join(filter(None, [blocker.application, known]))
    return f"pid {blocker.pid}" + (f" ({facts})" if facts else "")


def timestamp(epoch: float | None) -> str | None:
    """Return RFC 3339 in UTC, to the millisecond; None also for a time outside its range."""
    if epoch is None or not EARLIEST <= epoch < LATEST:
        return None
    moment = datetime.fromtimestamp(epoch, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def time_of_day(epoch: float) -> str:
    """Return the time of day of seconds since the epoch, in UTC; any number has some text."""
    stamp = timestamp(epoch)
    return f"{stamp[11:19]}Z" if stamp else "an unknown time"


def describe_gate(gate: Gate, databases: Sequence[DatabaseStatus]) -> str:
    """Return the gate's reason with what lies behind it, on one line."""
    text = f"{gate.reason} (holding: {gate.holding})" if gate.holding else str(gate.reason)
    if gate.phase is Phase.DRAINING:
        return text
    reason = str(gate.holding or gate.reason)
    targets = [*each_group(databases)]
    lines = []
    for database, group in targets:
        line = describe_group(database, group).removeprefix(reason).removeprefix(": ")
        if line and (len(targets) == 1 or group.reason is not Reason.SCHEMA_CURRENT):
            lines.append(f"{name_group(database, group)}: {line}" if len(targets) > 1 else line)
    if len(lines) > MAX_NAMED:
        lines[MAX_NAMED:] = [f"and {len(lines) - MAX_NAMED} more"]
    return ": ".join([text, *filter(None, ["; ".join(lines)])])


def name_group(database: DatabaseStatus, group: SchemaGroup) -> str:
    """Return a group's name: its database, and its schemas where there are several."""
    return f"{database.database} {name_schemas(group)}" if group.schemas else database.database


def name_schemas(group: SchemaGroup) -> str:
    """Return the name of a group's schema, or how many have the same rows and the first few."""
    if group.count == 1:
        return group.schema or "-"
    more = f" and {group.count - MAX_NAMED} more" if group.count > MAX_NAMED else ""
    return f"{group.count} schemas ({', '.join(group.schemas[:MAX_NAMED])}{more})"


def _name_some(keys: Sequence[str]) -> str:
    return keys[0] if len(keys) == 1 else f"{keys[0]} and {len(keys) - 1} more"
