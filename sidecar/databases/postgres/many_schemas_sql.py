"""The SQL that reads `django_migrations` from many schemas."""

import re
from collections.abc import Sequence
from typing import Final

from sidecar.databases.base import TABLE
from sidecar.databases.postgres.connection import quote

TABLES: Final = """
    FROM pg_namespace n
    LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = $1
                        AND c.relkind IN ('r', 'p', 'v', 'f')
   WHERE (n.nspname = ANY($2::text[]) OR n.nspname ~ ANY($3::text[]))
     AND (c.oid IS NOT NULL OR NOT $4::bool)
     AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
"""

COUNTERS: Final = """
    concat_ws(':', n.oid, c.oid, c.relfilenode, pg_stat_get_tuples_inserted(c.oid),
              pg_stat_get_tuples_updated(c.oid), pg_stat_get_tuples_deleted(c.oid))
"""

SIGNATURE: Final = f"""
    SELECT pg_is_in_recovery() OR NOT current_setting('track_counts')::bool
               OR coalesce(bool_or(c.relkind <> 'r'), false) AS uncounted,
           sha256(convert_to(coalesce(string_agg({COUNTERS}, ',' ORDER BY n.oid), ''), 'UTF8'))
               AS signature
    {TABLES}
"""

LIST: Final = f"""
    SELECT n.nspname::text AS schema, c.oid IS NOT NULL AS present, {COUNTERS} AS counters,
           -- Null is what went away meanwhile.
           coalesce(has_schema_privilege(n.oid, 'USAGE'), true)
               AND coalesce(has_any_column_privilege(c.oid, 'SELECT'), true) AS allowed
    {TABLES}
    ORDER BY 1
"""

READ_ROWS: Final = """
    SELECT {number} AS number,
           coalesce(string_agg(app || '.' || name, E'\\n' ORDER BY id), '') AS text,
           extract(epoch FROM max(applied))::float8 AS at
      FROM {table}
"""

GROUP_ROWS: Final = """
    SELECT sha256(convert_to(text, 'UTF8')) AS digest, array_agg(number) AS numbers, max(at) AS at
      FROM ({rows}) AS r GROUP BY 1
"""

FIND_SCHEMAS: Final = "SELECT nspname::text AS schema FROM pg_namespace WHERE nspname = ANY($1)"

# Only this lock keeps readers out; whoever waits for it is before them in the queue.
FIND_LOCKED: Final = """
    SELECT n.nspname::text AS schema
      FROM pg_locks l
      JOIN pg_class c ON c.oid = l.relation AND c.relname = $1
      JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock'
       AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""

# A second connection may come to another host, or through a balancer to another server.
SERVER: Final = """
    SELECT pg_catalog.concat(pg_catalog.pg_postmaster_start_time(), ' ',
                             pg_catalog.pg_is_in_recovery())
"""


def format_row_query(schema: str, number: int = 0) -> str:
    """Return the query for one schema: its number, its rows as one text, the newest `applied`."""
    return READ_ROWS.format(number=number, table=f"{quote(schema)}.{TABLE}")


def format_group_query(schemas: Sequence[str]) -> str:
    """Return the query that groups these schemas by the digest of their rows."""
    rows = (format_row_query(name, at) for at, name in enumerate(schemas))
    return GROUP_ROWS.format(rows=" UNION ALL ".join(rows))


def format_regex(pattern: str) -> str:
    """Return a pattern with `*` as a regular expression of PostgreSQL."""
    return "^" + ".*".join(map(re.escape, pattern.split("*"))) + "$"
