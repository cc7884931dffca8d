"""Who may see the details: a bearer token from a file, and TLS from files, both rotated live."""

import base64
import hmac
import ssl
from contextlib import suppress
from pathlib import Path

from sidecar.errors import UsageError
from sidecar.regular_file import check_regular, read_regular


class Token:
    """A bearer token (RFC 6750), read anew for every request, so that it can be rotated."""

    def __init__(self, file: Path) -> None:
        """Take the file's path. Raises UsageError when there is no token to read."""
        self._file = file
        if not self._read():
            raise UsageError(f"token_file {file}: cannot be read, or is empty")

    def authorizes(self, authorization: str) -> bool:
        """Return whether an Authorization header carries the token; without a token none does.

        Scripts send it as a bearer token, browsers as the password of whatever user.
        """
        token = self._read()
        scheme, _, given = authorization.partition(" ")
        # A header may hold any byte; aiohttp decodes those that are no UTF-8 as surrogates.
        bearer = given.encode(errors="surrogateescape").strip()
        sent = _password(given) if scheme.lower() == "basic" else bearer
        known = bool(token) and scheme.lower() in {"bearer", "basic"}
        return hmac.compare_digest(sent, token) and known

    def _read(self) -> bytes:
        try:
            return read_regular(self._file).strip()
        except OSError:
            return b""


def _password(credentials: str) -> bytes:
    """Return the password of Basic credentials (RFC 7617); none where they are no such thing."""
    try:
        return base64.b64decode(credentials.strip(), validate=True).partition(b":")[2]
    except ValueError:
        return b""


class Certificate:
    """A certificate and its key; files that are replaced count from the next handshake."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Take the files (PEM). Raises UsageError when they are no certificate and key."""
        self._files = (certificate, key)
        self._stamp = self._changed()
        self._newest = self._load()
        self.context = self._load()
        """What a server listens with; each handshake is moved to the newest files."""
        self.context.sni_callback = self._choose

    def _choose(self, handshake: ssl.SSLObject, *_: object) -> None:
        # Half a rotation, or a broken file: go on with what was loaded last.
        with suppress(UsageError):
            stamp = self._changed()
            if stamp != self._stamp:
                self._newest = self._load()
                self._stamp = stamp
        handshake.context = self._newest

    def _changed(self) -> tuple[int, ...]:
        try:
            return tuple(file.stat().st_mtime_ns for file in self._files)
        except OSError as error:
            raise self._refusal(error) from None

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            for file in self._files:
                check_regular(file)
            context.load_cert_chain(*self._files)
        except OSError as error:
            raise self._refusal(error) from None
        return context

    def _refusal(self, error: OSError) -> UsageError:
        certificate, key = self._files
        return UsageError(f"tls_cert {certificate}, tls_key {key}: {error.strerror or error}")
