"""Where the database is: DATABASE_URL, or else libpq's own PG* variables."""

import re
from urllib.parse import parse_qsl, unquote, urlsplit

ENGINE = "django.db.backends.postgresql"

ENGINES = {
    "postgres": ENGINE,
    "postgresql": ENGINE,
    "mysql": "django.db.backends.mysql",
    "sqlite": "django.db.backends.sqlite3",
}


def from_environment(environ):
    """Return the entry for DATABASES; a missing one is no error until it is used."""
    url = environ.get("DATABASE_URL")
    if url:
        return from_url(url)
    # Keys left out are blank, so libpq reads PGHOST, PGUSER and so on by itself.
    # The name is the exception: Django refuses to connect with a blank one.
    return {"ENGINE": ENGINE, "NAME": environ.get("PGDATABASE", "")}


def from_url(url):
    """Return the entry for postgres://user:password@host:port/name?option=value.

    mysql:// alike; a file is sqlite:////absolute/path. A socket directory goes into the
    host percent-encoded, or into `?host=/dir`.
    """
    parts = urlsplit(url)
    if parts.scheme not in ENGINES:
        raise ValueError(f"DATABASE_URL must start with one of {', '.join(ENGINES)}, and ://")
    # Not parts.hostname: it is in lower case, and a socket directory may not be.
    host = re.sub(r":\d*$", "", parts.netloc.rpartition("@")[2])
    options = dict(parse_qsl(parts.query))
    return {
        "ENGINE": ENGINES[parts.scheme],
        "NAME": unquote(parts.path[1:]),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", unquote(host).strip("[]")),
        "PORT": options.pop("port", str(parts.port or "")),
        "OPTIONS": options,
    }
