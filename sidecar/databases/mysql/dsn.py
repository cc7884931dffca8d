"""A MySQL or MariaDB URL as Django people write it."""

from typing import Final
from urllib.parse import parse_qsl, unquote

import msgspec

from sidecar.databases.dsn_text import (
    DJANGO_PARAMETERS,
    ENCODE_HINT,
    check_at_signs,
    check_port,
    make_parameter_error,
    split_server_url,
)
from sidecar.databases.url import check_brackets
from sidecar.errors import UsageError

SSL_MODES: Final = ("DISABLED", "PREFERRED", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY")
PARAMETERS: Final = ("ssl-mode", "ssl-ca", "ssl-cert", "ssl-key", "unix-socket", "ssl")
"""What a URL may set, here with `-`; `_` is read as well."""
# Settings of Django, of its pools and of drivers, that a short read does not need.
IGNORED_PARAMETERS: Final = DJANGO_PARAMETERS | frozenset(
    {
        *("pool", "charset", "collation", "use_unicode", "sql_mode", "init_command"),
        *("compress", "connect_timeout", "read_timeout", "write_timeout", "local_infile"),
        "ssl_cipher",
    }
)


class Tls(msgspec.Struct, frozen=True, kw_only=True):
    """The TLS options, with the names and defaults of MySQL's own client."""

    mode: str
    ca: str | None = None
    cert: str | None = None
    key: str | None = None


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """The server, login and database that a URL names."""

    host: str
    port: int
    socket: str | None
    user: str | None
    password: str
    database: str
    tls: Tls

    def __repr__(self) -> str:
        """Never show a password."""
        return f"Place({self})"

    def __str__(self) -> str:
        """Return `host:port/database` for people, without user or password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.socket or f'{host}:{self.port}'}/{self.database}"


def parse_url(url: str) -> Place:
    """Return what the URL names. Raises UsageError if it is invalid."""
    parts = split_server_url(url)
    check_at_signs(parts)
    login, _, authority = parts.netloc.rpartition("@")
    database = unquote(parts.path.removeprefix("/"))
    if not database or "/" in database:
        raise UsageError(f"the database URL must name one database after its host; {ENCODE_HINT}")
    host, port = _parse_host(authority)
    query = _parse_parameters(parts.query)
    user, _, password = login.partition(":")
    return Place(
        host=host,
        port=port,
        socket=query.get("unix-socket") or (host if host.startswith("/") else None),
        user=unquote(user) or None,
        password=unquote(password),
        database=database,
        tls=_parse_tls(query),
    )


def _parse_host(authority: str) -> tuple[str, int]:
    if "," in authority:
        raise UsageError("the database URL names several hosts; MySQL's URLs name one")
    check_brackets(authority)
    name, colon, port = authority.rpartition(":")
    if not colon or authority.endswith("]"):
        name, port = authority, "3306"
    check_port(port)
    return unquote(name).strip("[]") or "localhost", int(port)


def _parse_parameters(text: str) -> dict[str, str]:
    query: dict[str, str] = {}
    given = parse_qsl(text, keep_blank_values=True)
    hidden = any("password" in name or "passwd" in name for name, _ in given)
    for spelled, value in given:
        name = spelled.lower().replace("_", "-")
        if name in PARAMETERS:
            query[name] = value
        elif name.replace("-", "_") not in IGNORED_PARAMETERS:
            raise make_parameter_error(spelled, PARAMETERS, hidden=hidden)
    return query


def _parse_tls(query: dict[str, str]) -> Tls:
    """Return the options; as for MySQL's own client, a CA alone sets VERIFY_CA."""
    modes = {"true": "REQUIRED", "1": "REQUIRED", "false": "DISABLED", "0": "DISABLED"}
    default = "VERIFY_CA" if query.get("ssl-ca") else "PREFERRED"
    given = query.get("ssl-mode") or modes.get(query.get("ssl", "").lower()) or default
    mode = given.upper().replace("-", "_")
    if mode not in SSL_MODES or query.get("ssl", "true").lower() not in modes:
        raise UsageError(
            f"the database URL has an unknown ssl-mode; known are {', '.join(SSL_MODES)}"
        )
    if bool(query.get("ssl-cert")) is not bool(query.get("ssl-key")):
        raise UsageError("the database URL: ssl-cert and ssl-key go together")
    return Tls(
        mode=mode,
        ca=query.get("ssl-ca") or None,
        cert=query.get("ssl-cert") or None,
        key=query.get("ssl-key") or None,
    )
