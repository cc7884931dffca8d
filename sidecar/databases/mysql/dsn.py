"""A MySQL or MariaDB URL as Django people write it."""

from difflib import get_close_matches
from typing import Final
from urllib.parse import parse_qsl, unquote

import msgspec

from sidecar.databases.url import check_brackets, split
from sidecar.errors import UsageError

ENCODE: Final = (
    "if that is part of a password, percent-encode its special characters "
    "(/ is %2F, @ is %40, : is %3A, ? is %3F, & is %26)"
)
MODES: Final = ("DISABLED", "PREFERRED", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY")
KNOWN: Final = ("ssl_mode", "ssl_ca", "ssl_cert", "ssl_key", "unix_socket", "ssl")
# Settings of Django, of its pools and of drivers, that mean nothing to one short look.
DJANGO: Final = frozenset(
    {
        *("conn_max_age", "conn_health_checks", "engine", "pool", "atomic_requests", "autocommit"),
        *("isolation_level", "test_name", "charset", "collation", "use_unicode", "sql_mode"),
        *("init_command", "compress", "connect_timeout", "read_timeout", "write_timeout"),
        *("local_infile", "ssl_cipher"),
    }
)


class Tls(msgspec.Struct, frozen=True, kw_only=True):
    """How MySQL's own client would speak TLS."""

    mode: str
    ca: str | None = None
    cert: str | None = None
    key: str | None = None


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What a URL names."""

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


def parse(url: str) -> Place:
    """Return what the URL names. Raises UsageError, which never repeats the URL."""
    parts = split(url)
    if parts.fragment:
        raise UsageError("the database URL has a '#'; in a user or password write it as %23")
    if not url.partition(":")[2].startswith("//"):
        raise UsageError("the database URL has no // after its scheme")
    login, at, authority = parts.netloc.rpartition("@")
    if "@" in parts.path or ("@" in parts.query and not at):
        raise UsageError(f"the database URL has an '@' after its host; {ENCODE}")
    database = unquote(parts.path.removeprefix("/"))
    if not database or "/" in database:
        raise UsageError(f"the database URL must name one database after its host; {ENCODE}")
    host, port = _host(authority)
    query = _parameters(parts.query)
    user, _, password = login.partition(":")
    return Place(
        host=host,
        port=port,
        socket=query.get("unix_socket") or (host if host.startswith("/") else None),
        user=unquote(user) or None,
        password=unquote(password),
        database=database,
        tls=_tls(query),
    )


def _host(authority: str) -> tuple[str, int]:
    if "," in authority:
        raise UsageError("the database URL names several hosts; MySQL's URLs name one")
    check_brackets(authority)
    name, colon, port = authority.rpartition(":")
    if not colon or authority.endswith("]"):
        name, port = authority, "3306"
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        # Not repeated: it may be a misplaced password.
        raise UsageError(f"the database URL has a port that is no number; {ENCODE}")
    return unquote(name).strip("[]") or "localhost", int(port)


def _parameters(text: str) -> dict[str, str]:
    query: dict[str, str] = {}
    given = parse_qsl(text, keep_blank_values=True)
    for said, value in given:
        name = said.lower().replace("-", "_")
        if name in KNOWN:
            query[name] = value
        elif name not in DJANGO:
            if any("password" in other or "passwd" in other for other, _ in given):
                raise UsageError(f"the database URL has an unknown parameter; {ENCODE}")
            close = get_close_matches(name, KNOWN, 1)
            hint = f"; did you mean {close[0].replace('_', '-')}?" if close else ""
            raise UsageError(f"the database URL has an unknown parameter {said!r}{hint}")
    return query


def _tls(query: dict[str, str]) -> Tls:
    """Return the options; as for MySQL's own client, a CA alone asks that it be checked."""
    plain = {"true": "REQUIRED", "1": "REQUIRED", "false": "DISABLED", "0": "DISABLED"}
    default = "VERIFY_CA" if query.get("ssl_ca") else "PREFERRED"
    said = query.get("ssl_mode") or plain.get(query.get("ssl", "").lower()) or default
    mode = said.upper().replace("-", "_")
    if mode not in MODES or query.get("ssl", "true").lower() not in plain:
        raise UsageError(f"the database URL has an unknown ssl-mode; known are {', '.join(MODES)}")
    if bool(query.get("ssl_cert")) is not bool(query.get("ssl_key")):
        raise UsageError("the database URL: ssl-cert and ssl-key go together")
    return Tls(
        mode=mode,
        ca=query.get("ssl_ca") or None,
        cert=query.get("ssl_cert") or None,
        key=query.get("ssl_key") or None,
    )
