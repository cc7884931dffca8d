"""Which of our errors one of MySQL or MariaDB becomes, and its text."""

import ssl
from typing import Final

from asyncmy.errors import MySQLError

from sidecar.errors import DatabaseDenied, DatabaseError, DatabaseTimeout, DatabaseUnreachable

PRIVILEGE: Final = "{text}; GRANT SELECT ON {database}.django_migrations to the sidecar's user"
LOCKED: Final = "django_migrations is locked by another session"
LOGIN: Final = "{text}; check user and password"
PLUGIN: Final = "{text}; give the sidecar's user another authentication plugin, or use TLS"

NO_SUCH_TABLE: Final = 1146

# By the server's error number: our error, and its text.
ERRORS: Final[dict[int, tuple[type[DatabaseError], str]]] = {
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
    """The server does not support TLS."""


def classify_error(error: Exception, database: str) -> tuple[type[DatabaseError], str]:
    """Return the class of our error for one of the driver, and its text."""
    if isinstance(error, NoTls):
        return DatabaseDenied, "the server does not support TLS; check ssl-mode"
    cause = error.__cause__ or error
    if isinstance(cause, ssl.SSLCertVerificationError):
        text = _format_line(cause.verify_message)
        return DatabaseDenied, f"{text}; check ssl-mode, ssl-ca and the server's certificate"
    if isinstance(cause, ssl.SSLError):
        text = _format_line(cause)
        return DatabaseDenied, f"{text}; check ssl-mode, ssl-ca, ssl-cert and ssl-key"
    if isinstance(cause, ConnectionRefusedError):
        return DatabaseUnreachable, "connection refused"
    if isinstance(cause, OSError):
        return DatabaseUnreachable, _format_line(cause.strerror or cause)
    text, number = _format_line(error.args[-1] if error.args else error), get_error_number(error)
    if isinstance(error, RuntimeError) and "package is required" in text:
        # The driver cannot log this user in by itself.
        return DatabaseDenied, PLUGIN.format(text=text)
    if not number:
        kind = type(error).__name__
        return DatabaseUnreachable, f"what answers there does not speak MySQL's protocol ({kind})"
    error_class, message = ERRORS.get(number, (DatabaseUnreachable, "{text}"))
    return error_class, message.format(text=text, database=database)


def get_error_number(error: Exception) -> int:
    """Return MySQL's number of an error, or 0."""
    number = error.args[0] if isinstance(error, MySQLError) and error.args else 0
    return number if isinstance(number, int) else 0


def _format_line(text: object) -> str:
    return " ".join(str(text).split()) or type(text).__name__
