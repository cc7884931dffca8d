"""TLS with the options of MySQL's own client."""

import ssl
from pathlib import Path

from sidecar.databases.mysql.dsn import Tls
from sidecar.regular_file import check_regular


def create_context(tls: Tls) -> ssl.SSLContext | None:
    """Return the context of one connection, its files read anew; None without TLS.

    Raises OSError if a file cannot be read.
    """
    if tls.mode == "DISABLED":
        return None
    for file in filter(None, (tls.ca, tls.cert, tls.key)):
        check_regular(Path(file))
    context = ssl.create_default_context(cafile=tls.ca)
    context.check_hostname = tls.mode == "VERIFY_IDENTITY"
    if not tls.mode.startswith("VERIFY"):
        context.verify_mode = ssl.CERT_NONE
    if tls.cert:
        # An encrypted key must not ask for its password on a terminal.
        context.load_cert_chain(tls.cert, tls.key, lambda: "")
    return context
