"""A database URL as Django people write it, with libpq's names that asyncpg understands."""

from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlencode

from sidecar.databases.dsn_text import (
    DJANGO_PARAMETERS,
    check_at_signs,
    check_port,
    is_port,
    make_parameter_error,
    split_server_url,
)
from sidecar.databases.url import check_brackets, encode_login, split_url
from sidecar.errors import UsageError

SSLMODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
LIBPQ_PARAMETERS: Final = frozenset(
    {
        *("host", "port", "dbname", "user", "password", "passfile", "service", "options"),
        *("sslmode", "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslpassword"),
        *("sslnegotiation", "ssl_min_protocol_version", "ssl_max_protocol_version"),
        *("target_session_attrs", "krbsrvname", "gsslib"),
    }
)
# Settings of Django, of its pools and of drivers, that a short read does not need.
IGNORED_PARAMETERS: Final = DJANGO_PARAMETERS | frozenset(
    {
        *("disable_server_side_cursors", "pool", "ssl_require", "assume_role"),
        *("server_side_binding", "application_name", "client_encoding"),
        *("connect_timeout", "keepalives", "keepalives_idle", "keepalives_interval"),
        *("keepalives_count", "tcp_user_timeout", "gssencmode", "channel_binding"),
        *("load_balance_hosts", "prepare_threshold"),
    }
)


def to_libpq(url: str, options: str | None = None) -> str:
    """Return the URL as libpq would take it, Django's own parameters left out.

    Raises UsageError if it is invalid, and never repeats the URL: it may hold a password.
    """
    parts = split_server_url(url)
    user, at, authority = parts.netloc.rpartition("@")
    _check_hosts(authority)
    check_at_signs(parts)
    query = _parse_parameters(parts.query)
    if options and "options" not in query:
        query["options"] = options
    # asyncpg would end the password at the first '@'; Django ends it at the last. And it takes
    # the URL apart with urlsplit, which must find nothing there to refuse.
    netloc = encode_login(user) + at + quote(authority, safe="%:,")
    return f"postgresql://{netloc}{parts.path}" + (f"?{urlencode(query)}" if query else "")


def _parse_parameters(text: str) -> dict[str, str]:
    query: dict[str, str] = {}
    given = parse_qsl(text, keep_blank_values=True)
    hidden = any("password" in name for name, _ in given)
    for name, value in given:
        if name == "currentSchema":
            query["options"] = f"-csearch_path={value}"
        elif name in LIBPQ_PARAMETERS:
            query[name] = value
        elif name.lower() not in IGNORED_PARAMETERS:
            raise make_parameter_error(name, LIBPQ_PARAMETERS, hidden=hidden)
    if ports := query.get("port"):
        _check_ports(ports)
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


def _check_ports(ports: str) -> None:
    for port in ports.split(","):
        check_port(port)


def _check_hosts(authority: str) -> None:
    for host in authority.split(",") if authority else ():
        check_brackets(host)
        name, colon, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
        if colon:
            check_port(port)
        if "/" in name or "?" in name:
            raise UsageError("the database URL has a host that is no host name")


def parse_hosts(
    url: str, environment_host: str | None, environment_port: str | None
) -> list[tuple[str, int | None]]:
    """Return the hosts that a libpq URL names, each with its port where it has one.

    The address before the path counts, then `host` in the query, then libpq's PGHOST; ports
    likewise, one for all or one for each. Raises UsageError if one is no number.
    """
    parts = split_url(url)
    query = dict(parse_qsl(parts.query))
    authority = parts.netloc.rpartition("@")[2].replace("%5B", "[").replace("%5D", "]")
    listed = authority or query.get("host") or environment_host or ""
    entries = listed.split(",") if listed else []
    ports = (query.get("port") or environment_port or "").split(",")
    ports = ports if len(ports) == len(entries) else ports[:1] * len(entries)
    found = []
    for entry, default in zip(entries, ports, strict=True):
        name, _, port = entry.rpartition(":") if _has_port(entry) else (entry, "", default)
        if port and not is_port(port):
            raise UsageError("the database's port is no number (URL, service or PGPORT)")
        found.append((unquote(name).strip("[]"), int(port) if port else None))
    return found


def get_target_session_attrs(url: str) -> str | None:
    """Return the URL's target_session_attrs, if it has any."""
    return dict(parse_qsl(split_url(url).query)).get("target_session_attrs")


def _has_port(entry: str) -> bool:
    return ":" in entry and not entry.endswith("]") and not entry.startswith("/")


def format_place(
    url: str | None, environment_host: str | None, environment_database: str | None
) -> str:
    """Return `host:port/database` for people, without user or password."""
    parts = split_url(url or "")
    query = dict(parse_qsl(parts.query))
    host = unquote(parts.netloc.rpartition("@")[2]) or query.get("host") or environment_host
    database = unquote(parts.path.lstrip("/")) or query.get("dbname") or environment_database
    return f"{host or 'the local socket'}/{database or ''}".rstrip("/")
