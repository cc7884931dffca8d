"""How one session sees that another runs `sidecar migrate`, with the rights of any role.

A run holds an advisory lock whose key names the schema (a lock belongs to one database);
`pg_locks` shows it to everybody. The sessions of a run carry application names, which
`pg_stat_activity` shows to everybody too, unlike times and states.
"""

from typing import Final

import asyncpg
import msgspec

from sidecar.core.migrations.recorded import Blocker, LockHolder, MigrateRun, parse_time
from sidecar.databases.base import LOCK_APPLICATION_NAME, TABLE

LOCK_CLASS: Final = 0x646A736D
"""The upper half of the lock's key: "djsm"; the lower half is the schema's oid."""

HOLDER_NAME: Final = LOCK_APPLICATION_NAME
WAITER_NAME: Final = "migration-sidecar/lock-wait"
COMMAND_NAME: Final = "migration-sidecar/migrate"
"""Application names of who holds the lock, of who waits for it, and of the command's sessions."""

LOCKED: Final = f"""
    locktype = 'advisory' AND classid = {LOCK_CLASS} AND objid = $1::oid
    AND objsubid = 1 AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""

# Null is a role or a table that went away meanwhile. Who belongs to the owner may have to
# SET ROLE first, which a session's own role does not show.
TRUSTED: Final = f"""
    EXISTS (SELECT FROM pg_namespace n
              LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = '{TABLE}'
             WHERE n.oid = $1::oid
               AND CASE WHEN c.oid IS NULL THEN has_schema_privilege(usesysid, n.oid, 'CREATE')
                        ELSE has_table_privilege(usesysid, c.oid, 'INSERT')
                             OR pg_has_role(usesysid, c.relowner, 'MEMBER') END)
"""
"""Whether the role of a session may record a migration in the schema with the oid `$1`.

Any session may take any advisory lock, and any application name.
"""

SESSION: Final = f"""
    datid = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND application_name LIKE '{{name}} %' AND split_part(application_name, ' ', 2) = $1::oid::text
    AND {TRUSTED}
"""

IN_TRANSACTION: Final = (
    "pid IN (SELECT pid FROM pg_locks WHERE locktype = 'virtualxid' AND granted)"
)
"""Every transaction holds this lock, which everybody may see, unlike a session's state."""

APPLYING: Final = f"{SESSION.format(name=COMMAND_NAME)} AND {IN_TRANSACTION}"
"""The sessions of a migrate run's command.

One that only bears the name may be a pooler's, which lends it on to whoever comes next.
"""

RUNNING_ANYWHERE: Final = f"""
    EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = {LOCK_CLASS}
               AND granted)
    OR EXISTS (SELECT FROM pg_stat_get_activity(NULL)
                WHERE application_name LIKE '{COMMAND_NAME} %')
"""
"""Whether a migrate run may be under way on the server: cheap enough for every read.

What `pg_stat_activity` shows of other sessions comes from this function; the view's joins
double the cost of a read.
"""

RUN: Final = f"""
    WITH applying AS MATERIALIZED (
        SELECT pid, pg_blocking_pids(pid) AS blockers
          FROM pg_stat_activity WHERE {APPLYING}
    ), blocking AS (
        SELECT DISTINCT unnest(blockers) AS pid FROM applying
    ), holder AS (
        SELECT pid, usename::text AS role, application_name, backend_start,
               coalesce({TRUSTED}, false) AS trusted
          FROM pg_locks LEFT JOIN pg_stat_activity USING (pid) WHERE {LOCKED}
         ORDER BY trusted DESC, pid LIMIT 1
    )
    SELECT EXISTS (SELECT FROM applying) AS applying,
           (SELECT application_name FROM holder
             WHERE trusted AND application_name LIKE '{HOLDER_NAME} %') AS holder,
           (SELECT pid FROM holder) AS holder_pid,
           (SELECT role FROM holder) AS holder_role,
           (SELECT trusted FROM holder) AS holder_trusted,
           (SELECT extract(epoch FROM backend_start)::float8 FROM holder) AS holder_began,
           (SELECT count(*) FROM pg_stat_activity
             WHERE {SESSION.format(name=WAITER_NAME)}) AS waiting,
           -- `waitstart` is new in PostgreSQL 14.
           (SELECT extract(epoch FROM min(coalesce((to_jsonb(w) ->> 'waitstart')::timestamptz,
                                                   clock_timestamp())))::float8
              FROM pg_locks w JOIN applying USING (pid) WHERE NOT w.granted) AS blocked_since,
           (SELECT coalesce(json_agg(json_build_object(
                       'pid', b.pid, 'application', coalesce(a.application_name, ''),
                       'state', a.state, 'since', extract(epoch FROM a.xact_start)::float8)
                       ORDER BY b.pid), '[]')::text
              FROM blocking b LEFT JOIN pg_stat_activity a USING (pid)) AS blockers
"""


FoundRun = tuple[MigrateRun | None, LockHolder | None]


def parse_run(row: asyncpg.Record) -> FoundRun:
    """Return the migrate run that a row of `RUN` describes, and who holds the migration lock.

    A holder whose role may not write the table can be no migrate run, and what its session
    calls itself counts for nothing.
    """
    trusted, holder = bool(row["holder_trusted"]), None
    since = parse_time((row["holder"] or "").partition(" since ")[2])
    if row["holder_pid"] is not None:
        began = row["holder_began"] if since is None else since
        holder = LockHolder(
            pid=row["holder_pid"], role=row["holder_role"], since=began, trusted=trusted
        )
    if not trusted and not row["applying"]:
        return None, holder
    run = MigrateRun(
        since=since,
        waiting=row["waiting"],
        blocked_since=row["blocked_since"],
        blockers=msgspec.json.decode(row["blockers"], type=tuple[Blocker, ...]),
    )
    return run, holder
