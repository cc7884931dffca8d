"""Which of our errors one of PostgreSQL, PgBouncer or TLS becomes, and its text."""

import ssl
from typing import Final

import asyncpg

from sidecar.errors import DatabaseDenied, DatabaseError, DatabaseTimeout, DatabaseUnreachable

NO_USER_NAME: Final = (
    "no user is named, and this uid has no name here; name one in the URL or PGUSER"
)

# What was raised, words in it, our error, and its text; the first that fits counts.
ERRORS: Final[tuple[tuple[type[Exception], str, type[DatabaseError], str], ...]] = (
    (
        asyncpg.LockNotAvailableError,
        "",
        DatabaseTimeout,
        "django_migrations is locked by another session",
    ),
    (asyncpg.QueryCanceledError, "", DatabaseTimeout, "{text}"),
    (
        asyncpg.PostgresError,
        "statement pooling",
        DatabaseDenied,
        (
            "PgBouncer pools by statement, which allows no transaction;"
            " set pool_mode to transaction or session for the sidecar"
        ),
    ),
    # PgBouncer gives all its refusals one SQLSTATE, that of a protocol violation.
    (
        asyncpg.ProtocolViolationError,
        "authentication failed",
        DatabaseDenied,
        "{text}; check user and password",
    ),
    (
        asyncpg.ProtocolViolationError,
        "does not exist",
        DatabaseDenied,
        "{text}; check the database's name",
    ),
    (
        asyncpg.ProtocolViolationError,
        "startup parameter",
        DatabaseDenied,
        (
            "{text}; instead of currentSchema or PGOPTIONS set schemas, or PgBouncer's"
            " ignore_startup_parameters"
        ),
    ),
    (
        asyncpg.InvalidAuthorizationSpecificationError,
        "pg_hba.conf",
        DatabaseDenied,
        "{text}; check pg_hba.conf and sslmode",
    ),
    (
        asyncpg.InvalidAuthorizationSpecificationError,
        "client certificate",
        DatabaseDenied,
        "{text}; check sslmode, sslcert and sslkey",
    ),
    (
        asyncpg.InvalidAuthorizationSpecificationError,
        "",
        DatabaseDenied,
        "{text}; check user and password",
    ),
    (
        asyncpg.InvalidCatalogNameError,
        "",
        DatabaseDenied,
        "{text}; check the database's name",
    ),
    (
        asyncpg.InsufficientPrivilegeError,
        "row-level security",
        DatabaseDenied,
        (
            "{text}; ALTER TABLE {table} DISABLE ROW LEVEL SECURITY,"
            " or ALTER ROLE ... BYPASSRLS for the sidecar's role"
        ),
    ),
    (
        asyncpg.InsufficientPrivilegeError,
        "",
        DatabaseDenied,
        "{text}; GRANT SELECT ON {table} to the sidecar's role",
    ),
    (
        ssl.SSLCertVerificationError,
        "",
        DatabaseDenied,
        "{text}; check sslmode, sslrootcert and the server's certificate",
    ),
    (ConnectionRefusedError, "", DatabaseUnreachable, "connection refused"),
    # libpq's default is the name of the process's user, and an arbitrary uid has none.
    (KeyError, "getpwuid", DatabaseDenied, NO_USER_NAME),
    (OSError, "No username set", DatabaseDenied, NO_USER_NAME),
    (ConnectionError, "SSL upgrade", DatabaseDenied, "{text}; check sslmode"),
    (
        asyncpg.exceptions.ClientConfigurationError,
        "root certificate",
        DatabaseDenied,
        "{text}; check sslrootcert",
    ),
)


def classify_error(error: Exception, text: str, table: str) -> tuple[type[DatabaseError], str]:
    """Return the class of our error for one of the driver, and its text.

    `text` is the driver's own; `table` is the table to name, with its schema if it has one.
    """
    for raised, words, error_class, message in ERRORS:
        if isinstance(error, raised) and words in text:
            return error_class, message.format(text=text, table=table)
    return DatabaseUnreachable, text
