"""A SQLite URL as dj-database-url reads it: three slashes are relative, four absolute."""

from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, unquote

from sidecar.databases.dsn_text import DJANGO_PARAMETERS
from sidecar.databases.url import split_url
from sidecar.errors import UsageError

# Settings of Django and of its driver, that a short read does not need.
IGNORED_PARAMETERS: Final = DJANGO_PARAMETERS | frozenset(
    {
        *("timeout", "transaction_mode", "init_command", "detect_types", "check_same_thread"),
        *("cached_statements", "mode", "cache"),
    }
)


def parse_url(url: str) -> Path:
    """Return the file that the URL names. Raises UsageError if it is invalid."""
    parts = split_url(url)
    if parts.fragment:
        raise UsageError("the database URL has a '#'; in a file's name write it as %23")
    path = unquote(parts.path.removeprefix("/"))
    if parts.netloc == ":memory:" or (not parts.netloc and path in {"", ":memory:"}):
        raise UsageError("the database URL: what is in memory only its own process can see")
    if parts.netloc or not url.partition(":")[2].startswith("///"):
        raise UsageError(
            "the database URL: write a file as sqlite:////absolute/path or sqlite:///relative"
        )
    for name, _ in parse_qsl(parts.query, keep_blank_values=True):
        if name.lower() not in IGNORED_PARAMETERS:
            raise UsageError(
                f"the database URL has an unknown parameter {name!r};"
                " in a file's name write ? as %3F"
            )
    return Path(path).absolute()
