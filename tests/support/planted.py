"""What a stranger may make to be taken for PostgreSQL's own; each raises when it is called."""

import re
from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING, Final

import psycopg

if TYPE_CHECKING:
    from psycopg.rows import TupleRow

TYPES: Final = (
    *("oid", "integer", "bigint", "text", "name", '"char"', "boolean", "timestamptz", "interval"),
    *("regclass", "regnamespace", "double precision", "name[]", "text[]", "varchar", "bytea"),
)
OPERATORS: Final = ("=", "<>", "<", ">", "<=", ">=", "||", "~", "~~", "!~~", "+", "-", "<<", "->>")
VARIADIC: Final = {
    "concat": "timestamptz, text, boolean",
    "concat_ws": "text, oid, oid, oid, bigint, bigint, bigint",
    "json_build_object": "text, integer, text, text, text, text, text, double precision",
}
"""Names that take any number of arguments, and the calls that fit ours better."""

BODY: Final = "LANGUAGE plpgsql AS 'BEGIN RAISE ''planted: {}''; END'"
MADE: Final = """
    SELECT proname, prokind, proretset, format_type(prorettype, NULL),
           pg_get_function_identity_arguments(oid)
      FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace
"""
RELATIONS: Final = """
    SELECT relname FROM pg_class
     WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind IN ('r', 'v')
"""
BASE_TYPES: Final = """
    SELECT typname FROM pg_type
     WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype = 'b' AND typname !~ '^_'
"""


def plant(connection: "psycopg.Connection[TupleRow]", schema: str, log: str) -> int:
    """Make whatever has a name that the log has, in this schema; return how many were made.

    What only a superuser may make is left out: functions of internal types.
    """
    words = set(re.findall(r"\w+", log))
    connection.execute("SET search_path = pg_catalog")
    made = 0
    for statement in _format_all(connection, schema, words):
        try:
            connection.execute(statement)
            made += 1
        except (psycopg.ProgrammingError, psycopg.NotSupportedError):
            continue
    return made


def _format_all(
    connection: "psycopg.Connection[TupleRow]", schema: str, words: set[str]
) -> Iterator[str]:
    yield f"CREATE FUNCTION {schema}.planted() RETURNS boolean {BODY.format('a view')}"
    yield f"CREATE FUNCTION {schema}.planted(anyelement) RETURNS boolean {BODY.format('a type')}"
    for (name,) in connection.execute(RELATIONS).fetchall():
        if name in words:
            view = f"SELECT * FROM {name} WHERE {schema}.planted()"
            yield f"CREATE VIEW {schema}.{name} AS {view}"
    for left, right in product(TYPES, TYPES):
        yield (
            f"CREATE FUNCTION {schema}.planted({left}, {right}) RETURNS boolean"
            f" {BODY.format('an operator')}"
        )
        for operator in OPERATORS:
            yield (
                f"CREATE OPERATOR {schema}.{operator}"
                f" (LEFTARG = {left}, RIGHTARG = {right}, FUNCTION = {schema}.planted)"
            )
    for name, kind, many, result, arguments in connection.execute(MADE).fetchall():
        if name in words:
            yield from _format_function(
                schema, name, kind, f"SETOF {result}" if many else result, arguments
            )
    for name, arguments in VARIADIC.items():
        yield from _format_function(schema, name, "f", "text", arguments)
    for (name,) in connection.execute(BASE_TYPES).fetchall():
        if name in words:
            check = f"CHECK ({schema}.planted(VALUE))"
            yield f'CREATE DOMAIN {schema}."{name}" AS pg_catalog."{name}" {check}'


def _format_function(
    schema: str, name: str, kind: str, result: str, arguments: str
) -> Iterator[str]:
    if kind == "a":
        body = BODY.format("an aggregate")
        yield f"CREATE FUNCTION {schema}.step(text, {arguments}) RETURNS text {body}"
        yield (
            f"CREATE AGGREGATE {schema}.{name}({arguments}) (SFUNC = {schema}.step, STYPE = text)"
        )
    else:
        body = BODY.format(f"the function {name}")
        yield f'CREATE FUNCTION {schema}."{name}"({arguments}) RETURNS {result} {body}'
