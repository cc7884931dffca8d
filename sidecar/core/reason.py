"""Why the gate is as it is: one vocabulary for log, body, metric, condition and runbook."""

from enum import StrEnum


class Reason(StrEnum):
    """Why the gate is as it is: one vocabulary for log, body, metric and runbook."""

    STARTING = "starting"
    SCHEMA_CURRENT = "schema_current"
    SCHEMA_AHEAD = "schema_ahead"
    SCHEMA_BEHIND = "schema_behind"
    HISTORY_INCONSISTENT = "history_inconsistent"
    MIGRATE_RUNNING = "migrate_running"
    DATABASE_UNREACHABLE = "database_unreachable"
    DATABASE_DENIED = "database_denied"
    DATABASE_TIMEOUT = "database_timeout"
    DRAINING = "draining"
