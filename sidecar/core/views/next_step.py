"""What to do next about a gate, as one line for people."""

from collections.abc import Sequence
from typing import Final

from sidecar.core.gate.database_status import DatabaseStatus
from sidecar.core.gate.snapshot import each_group
from sidecar.core.reason import Reason

NEXT_STEPS: Final = {
    Reason.SCHEMA_CURRENT: "nothing to do",
    Reason.SCHEMA_AHEAD: "a newer release has migrated; finish the deploy or the rollback",
    Reason.SCHEMA_BEHIND: "apply the migrations: {commands}",
    Reason.HISTORY_INCONSISTENT: "compare django_migrations with the code: "
    "python manage.py migrate --plan",
    Reason.MIGRATE_RUNNING: "wait until the running migrate has ended",
    Reason.DATABASE_UNREACHABLE: "check that the database runs and that this host may reach it",
    Reason.DATABASE_DENIED: "check user, password, database name and grants of the sidecar's role",
    Reason.DATABASE_TIMEOUT: "check the database for load and for locks on django_migrations",
    Reason.STARTING: "wait for the first read of the database",
    Reason.DRAINING: "nothing to do; the pod is going away",
}
"""What to do next, by reason."""


def next_step(reason: Reason, databases: Sequence[DatabaseStatus]) -> str:
    """Return what to do next; while a migrate run is under way, that is not to start another."""
    runs = [database.run for database in databases if database.run is not None]
    if not runs or reason is not Reason.SCHEMA_BEHIND:
        return NEXT_STEPS[reason].format(commands=_migrate_commands(databases))
    if all(run.blocked_since is None for run in runs):
        return NEXT_STEPS[Reason.MIGRATE_RUNNING]
    return "end what blocks the running migrate: SELECT pg_terminate_backend(pid)"


def _migrate_commands(databases: Sequence[DatabaseStatus]) -> str:
    """Return what migrates the databases that are behind; Django takes one at a time."""
    behind = [
        database.database
        for database, group in each_group(databases)
        if group.required and group.reason is Reason.SCHEMA_BEHIND
    ]
    options = {name: "" if name == "default" else f" --database={name}" for name in behind}
    return " && ".join(f"python manage.py migrate{each}" for each in (options or {"": ""}).values())
