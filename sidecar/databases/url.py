"""Take a database URL apart, alike on every Python.

`urllib.parse.urlsplit` refuses brackets in a password, brackets after the first of several hosts,
and some characters that are no ASCII; which of them, changes from patch to patch of Python. What
libpq and MySQL's clients take does not.
"""

import re
from typing import Final
from urllib.parse import SplitResult, quote

from sidecar.errors import UsageError

SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
AUTHORITY: Final = re.compile(r"//([^/?#]*)")
BRACKETED: Final = re.compile(r"\[[^\[\]]+\](:[^\[\]]*)?")
DROPPED: Final = dict.fromkeys(map(ord, "\t\r\n"))
"""What urlsplit drops, too: a URL from a file ends in a newline."""


def split_url(url: str) -> SplitResult:
    """Return the parts of a URL, as urlsplit does; whatever the authority holds, it is kept."""
    rest = url.lstrip("".join(map(chr, range(33)))).translate(DROPPED)
    scheme, authority = "", ""
    if found := SCHEME.match(rest):
        scheme, rest = found[1].lower(), rest[found.end() :]
    if found := AUTHORITY.match(rest):
        authority, rest = found[1], rest[found.end() :]
    rest, _, fragment = rest.partition("#")
    path, _, query = rest.partition("?")
    return SplitResult(scheme, authority, path, query, fragment)


def check_brackets(host: str) -> None:
    """Raise UsageError for a host of a URL, with its port, whose brackets hold no address."""
    if ("[" in host or "]" in host) and not BRACKETED.fullmatch(host):
        raise UsageError("the database URL cannot be read; is a bracket missing?")


def encode_login(login: str) -> str:
    """Percent-encode what a user and password may hold and urlsplit may refuse."""
    return quote(login, safe="%:!$&'()*+,;=~")
