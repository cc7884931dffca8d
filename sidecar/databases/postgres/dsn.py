"""A database URL as Django people write it, in the words of libpq that asyncpg understands."""

from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlencode

from sidecar.databases.url import check_brackets, plain, split
from sidecar.errors import UsageError

SSLMODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
ENCODE: Final = (
    "if that is part of a password, percent-encode its special characters "
    "(/ is %2F, @ is %40, : is %3A, ? is %3F, & is %26)"
)
LIBPQ: Final = frozenset(
    {
        *("host", "port", "dbname", "user", "password", "passfile", "service", "options"),
        *("sslmode", "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslpassword"),
        *("sslnegotiation", "ssl_min_protocol_version", "ssl_max_protocol_version"),
        *("target_session_attrs", "krbsrvname", "gsslib"),
    }
)
# Settings of Django, of its pools and of drivers, that mean nothing to one short look.
DJANGO: Final = frozenset(
    {
        *("conn_max_age", "conn_health_checks", "disable_server_side_cursors", "engine", "pool"),
        *("atomic_requests", "autocommit", "ssl_require", "assume_role", "server_side_binding"),
        *("isolation_level", "test_name", "application_name", "client_encoding"),
        *("connect_timeout", "keepalives", "keepalives_idle", "keepalives_interval"),
        *("keepalives_count", "tcp_user_timeout", "gssencmode", "channel_binding"),
        *("load_balance_hosts", "prepare_threshold"),
    }
)


def to_libpq(url: str, options: str | None = None) -> str:
    """Return the URL as libpq would take it, Django's own parameters left out.

    Raises UsageError, which never repeats the URL, since it may hold a password.
    """
    parts = split(url)
    if parts.fragment:
        raise UsageError("the database URL has a '#'; in a user or password write it as %23")
    if not url.partition(":")[2].startswith("//"):
        raise UsageError("the database URL has no // after its scheme")
    user, at, authority = parts.netloc.rpartition("@")
    _check_hosts(authority)
    if "@" in parts.path or ("@" in parts.query and not at):
        raise UsageError(f"the database URL has an '@' after its host; {ENCODE}")
    query = _parameters(parts.query)
    if options and "options" not in query:
        query["options"] = options
    # asyncpg would end the password at the first '@'; Django ends it at the last. And it takes
    # the URL apart with urlsplit, which must find nothing there to refuse.
    netloc = plain(user) + at + quote(authority, safe="%:,")
    return f"postgresql://{netloc}{parts.path}" + (f"?{urlencode(query)}" if query else "")


def _parameters(text: str) -> dict[str, str]:
    query: dict[str, str] = {}
    given = parse_qsl(text, keep_blank_values=True)
    for name, value in given:
        if name == "currentSchema":
            query["options"] = f"-csearch_path={value}"
        elif name in LIBPQ:
            query[name] = value
        elif name.lower() not in DJANGO:
            if any("password" in other for other, _ in given):
                raise UsageError(f"the database URL has an unknown parameter; {ENCODE}")
            from difflib import get_close_matches  # noqa: PLC0415 - only for a mistake

            close = get_close_matches(name, LIBPQ, 1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise UsageError(f"the database URL has an unknown parameter {name!r}{hint}")
    _check_port(query.get("port"))
    if query.get("sslmode", "prefer") not in SSLMODES:
        raise UsageError(
            f"the database URL has an unknown sslmode; known are {', '.join(SSLMODES)}"
        )
    if (
        query.get("sslrootcert") == "system"
        and query.setdefault("sslmode", "verify-full") != "verify-full"
    ):
        raise UsageError("the database URL: sslrootcert=system needs sslmode=verify-full")
    return query


def _check_port(ports: str | None) -> None:
    """Refuse what is no port, without repeating it: it may be a misplaced password."""
    for port in ports.split(",") if ports else ():
        if not _is_port(port):
            raise UsageError(f"the database URL has a port that is no number; {ENCODE}")


def _check_hosts(authority: str) -> None:
    for host in authority.split(",") if authority else ():
        check_brackets(host)
        name, colon, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
        if colon:
            _check_port(port or "none")
        if "/" in name or "?" in name:
            raise UsageError("the database URL has a host that is no host name")


def hosts(
    url: str, environment_host: str | None, environment_port: str | None
) -> list[tuple[str, int | None]]:
    """Return the hosts that a libpq URL names, each with its port where it has one.

    The address before the path counts, then `host` in the query, then libpq's PGHOST; ports
    likewise, one for all or one for each.
    """
    parts = split(url)
    query = dict(parse_qsl(parts.query))
    authority = parts.netloc.rpartition("@")[2].replace("%5B", "[").replace("%5D", "]")
    listed = authority or query.get("host") or environment_host or ""
    entries = listed.split(",") if listed else []
    ports = (query.get("port") or environment_port or "").split(",")
    ports = ports if len(ports) == len(entries) else ports[:1] * len(entries)
    found = []
    for entry, default in zip(entries, ports, strict=True):
        name, _, port = entry.rpartition(":") if _has_port(entry) else (entry, "", default)
        if port and not _is_port(port):
            raise UsageError("the database's port is no number (URL, service or PGPORT)")
        found.append((unquote(name).strip("[]"), int(port) if port else None))
    return found


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text) < 65536


def session_attributes(url: str) -> str | None:
    """Return the URL's target_session_attrs, if it has any."""
    return dict(parse_qsl(split(url).query)).get("target_session_attrs")


def _has_port(entry: str) -> bool:
    return ":" in entry and not entry.endswith("]") and not entry.startswith("/")


def place(url: str | None, environment_host: str | None, environment_database: str | None) -> str:
    """Return `host:port/database` for people, without user or password."""
    parts = split(url or "")
    query = dict(parse_qsl(parts.query))
    host = unquote(parts.netloc.rpartition("@")[2]) or query.get("host") or environment_host
    database = unquote(parts.path.lstrip("/")) or query.get("dbname") or environment_database
    return f"{host or 'the local socket'}/{database or ''}".rstrip("/")
