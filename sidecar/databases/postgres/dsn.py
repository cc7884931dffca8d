"""A database URL as Django people write it, with libpq's names that asyncpg understands."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlencode

from sidecar.databases.dsn_text import (
    DJANGO_PARAMETERS,
    check_at_signs,
    check_port,
    make_parameter_error,
    split_server_url,
)
from sidecar.databases.url import check_brackets, encode_login, split_url
from sidecar.errors import UsageError

SSLMODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
LIBPQ_PARAMETERS: Final = frozenset(
    {
        *(
            "host",
            "hostaddr",
            "port",
            "dbname",
            "user",
            "password",
            "passfile",
            "service",
            "options",
        ),
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
        *("keepalives_count", "tcp_user_timeout", "load_balance_hosts", "prepare_threshold"),
        *("fallback_application_name", "sslsni"),
    }
)
DEMANDS: Final = {
    "channel_binding": ("disable", "prefer"),
    "gssencmode": ("disable", "prefer"),
    "require_auth": (),
    "requirepeer": (),
}
"""Parameters that can ask for safety which asyncpg has not, with the values that do not."""


def to_libpq(url: str, options: str | None = None) -> str:
    """Return the URL as libpq would take it, Django's own parameters left out.

    Raises UsageError if it is invalid, and never repeats the URL: it may hold a password.
    """
    parts = split_server_url(url)
    user, at, authority = parts.netloc.rpartition("@")
    _check_hosts(authority)
    if parts.path.startswith("//"):
        raise UsageError(
            "the database URL has a folder in the place of the database; write "
            "postgresql://USER@/DATABASE?host=/FOLDER"
        )
    check_at_signs(parts)
    query = _parse_parameters(parts.query)
    if options and "options" not in query:
        query["options"] = options
    # asyncpg would end the password at the first '@'; Django ends it at the last. And it takes
    # the URL apart with urlsplit, which must find nothing there to refuse.
    netloc = encode_login(user) + at + quote(authority, safe="%:,")
    return f"postgresql://{netloc}{parts.path}" + (f"?{urlencode(query)}" if query else "")


def check_demands(parameters: Mapping[str, str], prefix: str = "") -> None:
    """Raise UsageError for what would be less safe than it was asked to be.

    In libpq's variables the names are in capitals, with the prefix `PG`.
    """
    for name, harmless in DEMANDS.items():
        given = f"{prefix}{name.replace('_', '').upper()}" if prefix else name
        value = parameters.get(given)
        if value and value not in harmless:
            raise UsageError(f"{given} asks for what the sidecar's driver has not; leave it out")


def _parse_parameters(text: str) -> dict[str, str]:
    query: dict[str, str] = {}
    given = parse_qsl(text, keep_blank_values=True)
    hidden = any("password" in name for name, _ in given)
    check_demands(dict(given))
    for name, value in given:
        if not value or name in DEMANDS:
            continue  # Without a value a parameter counts as absent.
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
        if colon and port:
            check_port(port)
        if "/" in name or "?" in name:
            raise UsageError("the database URL has a host that is no host name")


def without_addresses(url: str) -> str:
    """Return the URL without `hostaddr`, which asyncpg takes for a setting of the server."""
    parts = split_url(url)
    query = [each for each in parse_qsl(parts.query) if each[0] != "hostaddr"]
    return parts._replace(query=urlencode(query)).geturl()


def get_target_session_attrs(url: str) -> str | None:
    """Return the URL's target_session_attrs, if it has any."""
    return dict(parse_qsl(split_url(url).query)).get("target_session_attrs")


def format_place(
    url: str | None, environment_host: str | None, environment_database: str | None
) -> str:
    """Return `host:port/database` for people, without user or password."""
    parts = split_url(url or "")
    query = dict(parse_qsl(parts.query))
    host = unquote(parts.netloc.rpartition("@")[2]) or query.get("host") or environment_host
    database = unquote(parts.path.lstrip("/")) or query.get("dbname") or environment_database
    return f"{host or 'the local socket'}/{database or ''}".rstrip("/")
