"""What an error of MySQL or MariaDB means for the gate, and what is told."""

import ssl
from typing import Final

from asyncmy.errors import MySQLError

from sidecar.errors import DatabaseDenied, DatabaseError, DatabaseTimeout, DatabaseUnreachable

PRIVILEGE: Final = "{text}; GRANT SELECT ON {database}.django_migrations to the sidecar's user"
LOCKED: Final = "django_migrations is locked by another session"
LOGIN: Final = "{text}; check user and password"
PLUGIN: Final = "{text}; give the sidecar's user another authentication plugin, or use TLS"

NO_SUCH_TABLE: Final = 1146

# The server's number, what that means, and what is told.
EXPLAINED: Final[dict[int, tuple[type[DatabaseError], str]]] = {
    1044: (DatabaseDenied, "{text}; check the database's name, or " + PRIVILEGE[8:]),
    1045: (DatabaseDenied, LOGIN),
    1049: (DatabaseDenied, "{text}; check the database's name"),
    1129: (DatabaseDenied, "{text}"),
    1130: (DatabaseDenied, "{text}; check from where the sidecar's user may connect"),
    1142: (DatabaseDenied, PRIVILEGE),
    1143: (DatabaseDenied, PRIVILEGE),
    1205: (DatabaseTimeout, LOCKED),
    1251: (DatabaseDenied, PLUGIN),
    1698: (DatabaseDenied, LOGIN),
    1820: (DatabaseDenied, "{text}"),
    1862: (DatabaseDenied, "{text}"),
    1969: (DatabaseTimeout, "{text}"),
    2059: (DatabaseDenied, PLUGIN),
    3024: (DatabaseTimeout, "{text}"),
    3118: (DatabaseDenied, "{text}"),
    3159: (DatabaseDenied, "{text}; check ssl-mode"),
    4151: (DatabaseDenied, "{text}"),
}


class NoTls(Exception):
    """The server has no TLS to speak."""


def meaning(error: Exception, database: str) -> tuple[type[DatabaseError], str]:
    """Return what an error becomes, and what is told of it."""
    if isinstance(error, NoTls):
        return DatabaseDenied, "the server speaks no TLS; check ssl-mode"
    cause = error.__cause__ or error
    if isinstance(cause, ssl.SSLCertVerificationError):
        told = f"{_line(cause.verify_message)}; check ssl-mode, ssl-ca and the server's certificate"
        return DatabaseDenied, told
    if isinstance(cause, ssl.SSLError):
        return DatabaseDenied, f"{_line(cause)}; check ssl-mode, ssl-ca, ssl-cert and ssl-key"
    if isinstance(cause, ConnectionRefusedError):
        return DatabaseUnreachable, "connection refused"
    if isinstance(cause, OSError):
        return DatabaseUnreachable, _line(cause.strerror or cause)
    text, number = _line(error.args[-1] if error.args else error), number_of(error)
    if isinstance(error, RuntimeError) and "package is required" in text:
        # The driver cannot log this user in by itself.
        return DatabaseDenied, PLUGIN.format(text=text)
    if not number:
        kind = type(error).__name__
        return DatabaseUnreachable, f"what answers there does not speak MySQL's protocol ({kind})"
    becomes, told = EXPLAINED.get(number, (DatabaseUnreachable, "{text}"))
    return becomes, told.format(text=text, database=database)


def number_of(error: Exception) -> int:
    """Return MySQL's number of an error, or 0."""
    number = error.args[0] if isinstance(error, MySQLError) and error.args else 0
    return number if isinstance(number, int) else 0


def _line(text: object) -> str:
    return " ".join(str(text).split()) or type(text).__name__
