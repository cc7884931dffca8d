"""libpq's connection service file, read as libpq reads it.

asyncpg takes it for INI: a % in a password breaks it, a line that it cannot read is quoted
in the error, a service that is not there is passed over, and PGSERVICE is ignored.
"""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

from sidecar.databases.postgres.dsn import LIBPQ_PARAMETERS, check_demands
from sidecar.databases.url import split_url
from sidecar.errors import DatabaseDenied
from sidecar.regular_file import read_regular


def apply_service(dsn: str, environment: Mapping[str, str]) -> str:
    """Return the URL with what its service, or PGSERVICE, adds; the URL's own values win.

    Raises DatabaseDenied, which repeats nothing of the file.
    """
    parts = split_url(dsn)
    query = dict(parse_qsl(parts.query))
    name = query.pop("service", None) or environment.get("PGSERVICE")
    if not name:
        return dsn
    user, _, authority = parts.netloc.rpartition("@")
    given = {
        "host": authority, "port": authority, "user": user,
        "password": user.partition(":")[2], "dbname": parts.path.lstrip("/"),
    }  # fmt: skip
    service = _find_service(name, environment)
    check_demands(service)
    for key, value in service.items():
        if key in LIBPQ_PARAMETERS and not given.get(key):
            query.setdefault(key, value)
    return f"postgresql://{parts.netloc}{parts.path}?{urlencode(query)}"


def _find_service(name: str, environment: Mapping[str, str]) -> dict[str, str]:
    own = environment.get("PGSERVICEFILE")
    folders = (environment.get("HOME"), environment.get("PGSYSCONFDIR"))
    files = [Path(own)] if own else [Path(folders[0]) / ".pg_service.conf"] if folders[0] else []
    files += [Path(folders[1]) / "pg_service.conf"] if folders[1] else []
    for file in files:
        found = _read_section(file, name)
        if found is not None:
            return found
    where = " or ".join(map(str, files)) or "any file; set PGSERVICEFILE"
    raise DatabaseDenied(f"the service {name!r} is not defined in {where}")


def _read_section(file: Path, name: str) -> dict[str, str] | None:
    try:
        lines = read_regular(file).decode().splitlines()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError):
        raise DatabaseDenied(f"the service file {file} cannot be read") from None
    found: dict[str, str] | None = None
    for number, line in enumerate(map(str.strip, lines), 1):
        if line.startswith("["):
            if found is not None:
                break
            found = {} if line == f"[{name}]" else None
        elif found is not None and line and not line.startswith("#"):
            key, equals, value = line.partition("=")
            if not equals:
                raise DatabaseDenied(f"{file}: line {number} is not name=value")
            if key.strip() == "port" and not value.strip().isdigit():
                raise DatabaseDenied(f"{file}: line {number} has a port that is no number")
            found.setdefault(key.strip(), value.strip())
    return found
