"""The two ways to restrict the details, as flags of a sidecar: a token, and TLS."""

import ssl
from pathlib import Path
from typing import Final

import trustme

TOKEN: Final = "s3cret-token"  # noqa: S105 - a test's own


def restrict(folder: Path, *, token: bool, tls: bool) -> tuple[list[str], ssl.SSLContext | None]:
    """Write the files; return the flags, and the context of a client that trusts them."""
    flags, context = [], None
    if token:
        (folder / "token").write_text(TOKEN)
        flags.append("--token-file=token")
    if tls:
        authority = trustme.CA()
        issued = authority.issue_cert("127.0.0.1")
        issued.private_key_and_cert_chain_pem.write_to_path(str(folder / "tls.pem"))
        flags += ["--details-listen=127.0.0.1:0", "--tls-cert=tls.pem", "--tls-key=tls.pem"]
        context = ssl.create_default_context()
        authority.configure_trust(context)
    return flags, context
