"""Where the role's search_path finds the table, and the search_path of all our other SQL.

Whoever may CREATE in a schema of the role's own path can put an operator or a function there
that fits a call better than PostgreSQL's; it would run with our rights.
"""

from typing import Final

import asyncpg

from sidecar.databases.base import TABLE
from sidecar.databases.postgres.connection import quote

SET_SEARCH_PATH: Final = "SET LOCAL search_path = pg_catalog, pg_temp"
"""Until the end of the transaction: behind a pooler the session is not ours."""

# Each name and each operator has its schema before it: this alone runs with the role's search_path.
RESOLVE: Final = """
    WITH found AS MATERIALIZED (
        SELECT pg_catalog.to_regclass($1)::pg_catalog.oid AS table_oid,
               pg_catalog.to_regnamespace(coalesce($2,
                   pg_catalog.quote_ident(pg_catalog.current_schema()::pg_catalog.text)
               ))::pg_catalog.oid AS default_oid,
               pg_catalog.current_setting('search_path') AS path
    )
    SELECT c.oid IS NOT NULL AS present, n.oid AS schema_oid, n.nspname AS schema, found.path,
           pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', $3) AS set
      FROM found
      LEFT JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) found.table_oid
      LEFT JOIN pg_catalog.pg_namespace n
             ON n.oid OPERATOR(pg_catalog.=) coalesce(c.relnamespace, found.default_oid)
"""


async def resolve(
    connection: asyncpg.Connection, schema: str | None, *, local: bool
) -> asyncpg.Record:
    """Return where the table is, or else where Django would make it; set our search_path.

    The search_path is ours until the transaction ends if `local`. Of the columns, `present` is
    whether there is a table, `schema` and `schema_oid` are null if there is no such schema, and
    `path` is the role's search_path.
    """
    name = quote(schema) if schema else None
    table = f"{name}.{TABLE}" if name else TABLE
    place: asyncpg.Record
    (place,) = await connection.fetch(RESOLVE, table, name, local)
    return place
