"""The status page for people: one static document, and the policy that lets only it run.

The page asks `/status` for everything, so it is the same for every gate; the policy (CSP) allows
its own script and style by their hashes, requests to where it came from, and nothing else.
"""

import base64
import hashlib
import re
from importlib.resources import files
from typing import Final

import msgspec

SCRIPTS: Final = ("status.js", "status_live.js")
"""What draws the page, and what keeps it up to date; sent as one script."""


class Page(msgspec.Struct, frozen=True):
    """A page as it is sent."""

    body: bytes
    headers: dict[str, str]


def load() -> Page:
    """Return the page that is shipped with this package."""
    folder = files(__package__)

    def read(name: str) -> bytes:
        return folder.joinpath(name).read_bytes()

    body = read("status.html").replace(b"{css}", read("status.css"))
    body = body.replace(b"{script}", b"".join(map(read, SCRIPTS)))
    policy = (
        "default-src 'none'",
        f"script-src {_hashes(body, b'script')}",
        f"style-src {_hashes(body, b'style')}",
        "connect-src 'self'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
    return Page(
        body,
        {
            "Cache-Control": "no-store",
            "Server": "migration-sidecar",
            "Content-Type": "text/html; charset=utf-8",
            "Content-Security-Policy": "; ".join(policy),
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        },
    )


def _hashes(body: bytes, element: bytes) -> str:
    """Return what a policy calls the contents of all such elements."""
    found = re.findall(b"<%b>(.*?)</%b>" % (element, element), body, re.DOTALL)
    digests = (base64.b64encode(hashlib.sha256(content).digest()) for content in found)
    return " ".join(f"'sha256-{digest.decode()}'" for digest in digests)
