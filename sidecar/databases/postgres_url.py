"""A database URL as Django people write it, in the words of libpq that asyncpg understands."""

from difflib import get_close_matches
from typing import Final
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from sidecar.errors import UsageError

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
    parts = urlsplit(url)
    if parts.fragment:
        raise UsageError("the database URL has a '#'; in a user or password write it as %23")
    authority = parts.netloc.rpartition("@")[2]
    _check_hosts(authority)
    query = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name == "currentSchema":
            query["options"] = f"-csearch_path={value}"
        elif name in LIBPQ:
            query[name] = value
        elif name.lower() not in DJANGO:
            close = get_close_matches(name, LIBPQ, 1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise UsageError(f"the database URL has an unknown parameter {name!r}{hint}")
    if options and "options" not in query:
        query["options"] = options
    return f"postgresql://{parts.netloc}{parts.path}" + (f"?{urlencode(query)}" if query else "")


def _check_hosts(authority: str) -> None:
    for host in authority.split(",") if authority else ():
        name, colon, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
        if colon and not _is_port(port):
            raise UsageError(
                "the database URL has a port that is no number; if that is part of a password, "
                "percent-encode its special characters (/ is %2F, @ is %40, : is %3A)"
            )
        if "/" in name or "?" in name:
            raise UsageError("the database URL has a host that is no host name")


def hosts(
    url: str, environment_host: str | None, environment_port: str | None
) -> list[tuple[str, int | None]]:
    """Return the hosts that a libpq URL names, each with its port where it has one.

    The address before the path counts, then `host` in the query, then libpq's PGHOST; ports
    likewise, one for all or one for each.
    """
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    listed = parts.netloc.rpartition("@")[2] or query.get("host") or environment_host or ""
    entries = listed.split(",") if listed else []
    ports = (query.get("port") or environment_port or "").split(",")
    ports = ports if len(ports) == len(entries) else ports[:1] * len(entries)
    found = []
    for entry, default in zip(entries, ports, strict=True):
        name, _, port = entry.rpartition(":") if _has_port(entry) else (entry, "", default)
        if port and not _is_port(port):
            raise UsageError(f"the database's port {port!r} is no number (URL or PGPORT)")
        found.append((unquote(name).strip("[]"), int(port) if port else None))
    return found


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text) < 65536


def session_attributes(url: str) -> str | None:
    """Return the URL's target_session_attrs, if it has any."""
    return dict(parse_qsl(urlsplit(url).query)).get("target_session_attrs")


def _has_port(entry: str) -> bool:
    return ":" in entry and not entry.endswith("]") and not entry.startswith("/")


def place(url: str | None, environment_host: str | None, environment_database: str | None) -> str:
    """Return `host:port/database` for people, without user or password."""
    parts = urlsplit(url or "")
    query = dict(parse_qsl(parts.query))
    host = unquote(parts.netloc.rpartition("@")[2]) or query.get("host") or environment_host
    database = unquote(parts.path.lstrip("/")) or query.get("dbname") or environment_database
    return f"{host or 'the local socket'}/{database or ''}".rstrip("/")
