"""TLS as MySQL's own client means it; files are read anew at every connect."""

import ssl
from pathlib import Path

from sidecar.databases.mysql.dsn import Tls


def context(tls: Tls) -> ssl.SSLContext | None:
    """Return what a connection speaks TLS with, if it does. Raises OSError."""
    if tls.mode == "DISABLED":
        return None
    made = ssl.create_default_context(cafile=tls.ca)
    made.check_hostname = tls.mode == "VERIFY_IDENTITY"
    if not tls.mode.startswith("VERIFY"):
        made.verify_mode = ssl.CERT_NONE
    if tls.cert:
        # An encrypted key must not ask for its password on a terminal.
        made.load_cert_chain(tls.cert, tls.key, lambda: "")
    return made


def unreadable(tls: Tls) -> str | None:
    """Return the first file that cannot be read, and why."""
    for name in ("ca", "cert", "key"):
        file = getattr(tls, name)
        try:
            if file:
                Path(file).open("rb").close()
        except OSError as error:
            return f"ssl-{name} {file}: {error.strerror}"
    return None
