"""Checks and error texts that the database URLs of several systems share.

No text repeats a URL, since it may hold a password.
"""

from collections.abc import Iterable
from typing import Final
from urllib.parse import SplitResult

from sidecar.databases.url import split_url
from sidecar.errors import UsageError, did_you_mean

ENCODE_HINT: Final = (
    "if that is part of a password, percent-encode its special characters "
    "(/ is %2F, @ is %40, : is %3A, ? is %3F, & is %26)"
)
DJANGO_PARAMETERS: Final = frozenset(
    {
        *("conn_max_age", "conn_health_checks", "engine", "atomic_requests", "autocommit"),
        *("isolation_level", "test_name"),
    }
)
"""Settings of Django for every system; a read needs none of them."""


def split_server_url(url: str) -> SplitResult:
    """Return the parts of a server's URL. Raises UsageError if it has a `#` or no `//`."""
    parts = split_url(url)
    if parts.fragment:
        raise UsageError("the database URL has a '#'; in a user or password write it as %23")
    if not url.partition(":")[2].startswith("//"):
        raise UsageError("the database URL has no // after its scheme")
    return parts


def check_at_signs(parts: SplitResult) -> None:
    """Raise UsageError if there is an `@` behind the host, as after an unencoded `/` or `?`."""
    if "@" in parts.path or ("@" in parts.query and "@" not in parts.netloc):
        raise UsageError(f"the database URL has an '@' after its host; {ENCODE_HINT}")


def is_port(text: str) -> bool:
    """Return whether this is a TCP port: a decimal number from 1 to 65535."""
    return text.isascii() and text.isdigit() and 0 < int(text) < 65536


def check_port(text: str) -> None:
    """Raise UsageError if this is no port; not repeated, as it may be a misplaced password."""
    if not is_port(text):
        raise UsageError(f"the database URL has a port that is no number; {ENCODE_HINT}")


def make_parameter_error(name: str, known: Iterable[str], *, hidden: bool) -> UsageError:
    """Return the error for an unknown parameter, which names the known one most like it.

    `hidden` leaves the name out, for a URL with a password among its parameters: what
    follows an unencoded `&` is part of the password.
    """
    if hidden:
        return UsageError(f"the database URL has an unknown parameter; {ENCODE_HINT}")
    hint = did_you_mean(name.lower().replace("_", "-"), known)
    return UsageError(f"the database URL has an unknown parameter {name!r}{hint}")
