"""The servers that a database URL names, as libpq finds them in it and in its variables."""

from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote

import msgspec

from sidecar.databases.dsn_text import is_port
from sidecar.databases.url import split_url
from sidecar.errors import UsageError


class Host(msgspec.Struct, frozen=True):
    """One server: None where libpq's default counts."""

    name: str | None = None
    """A host name, an address, or the folder of a Unix socket; what a certificate must name."""
    port: int | None = None
    address: str | None = None
    """Where to connect to instead of resolving the name: `hostaddr`."""


def parse_hosts(url: str, environment: Mapping[str, str]) -> list[Host]:
    """Return the servers in the order in which they are tried; at least one.

    Names stand before the path, in `host`, or in PGHOST; ports and addresses likewise, one for
    all or one for each. Raises UsageError if a port is no number, or the counts do not match.
    """
    parts = split_url(url)
    query = dict(parse_qsl(parts.query))
    authority = parts.netloc.rpartition("@")[2].replace("%5B", "[").replace("%5D", "]")
    entries = [_split_port(entry) for entry in authority.split(",")] if authority else []
    names = [unquote(name) for name, _ in entries]
    ports = [port for _, port in entries]
    if not any(names):
        listed = query.get("host") or environment.get("PGHOST") or ""
        names = listed.split(",") if listed else []
    if not any(ports):
        ports = (query.get("port") or environment.get("PGPORT") or "").split(",")
    given = query.get("hostaddr") or environment.get("PGHOSTADDR") or ""
    addresses = given.split(",") if given else []
    count = len(addresses or names or ports[:1])
    if len(names) not in {0, count}:
        raise UsageError(f"{len(names)} hosts, but {count} addresses in hostaddr or PGHOSTADDR")
    return [
        _make_host(
            names[at] if names else "",
            ports[at] if len(ports) == count else ports[0],
            addresses[at] if addresses else "",
        )
        for at in range(count)
    ]


def _split_port(entry: str) -> tuple[str, str]:
    if entry.endswith("]") or ":" not in entry:
        return entry, ""
    name, _, port = entry.rpartition(":")
    return name, port


def _make_host(name: str, port: str, address: str) -> Host:
    if port and not is_port(port):
        raise UsageError("the database's port is no number (URL, service or PGPORT)")
    if address and (not name or name.startswith("/")):
        name = address  # An address is never a folder's.
    return Host(name.strip("[]") or None, int(port) if port else None, address or None)
