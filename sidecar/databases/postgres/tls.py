"""What asyncpg lacks of libpq's TLS: sslrootcert=system, permissions of keys, names of files."""

import ssl
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl

from sidecar.databases.tls_files import find_unreadable_file
from sidecar.databases.url import split_url
from sidecar.regular_file import check_regular

FILES: Final = ("sslrootcert", "sslcert", "sslkey")


class Tls:
    """The TLS parameters of a URL and of libpq's variables."""

    def __init__(self, dsn: str, environment: Mapping[str, str]) -> None:
        """Take them; no file is opened yet."""
        query = dict(parse_qsl(split_url(dsn).query))
        names = ("sslmode", "sslpassword", *FILES)
        self._values = {
            name: query.get(name) or environment.get(f"PG{name.upper()}") for name in names
        }

    def create_context(self) -> ssl.SSLContext | None:
        """Return a context that trusts the system's CAs for sslrootcert=system, else None.

        With None asyncpg makes its own, from the URL and libpq's variables. Raises NotRegularFile.
        """
        for file in filter(None, self._files().values()):
            with suppress(FileNotFoundError, PermissionError):  # asyncpg may not need it.
                check_regular(Path(file))
        if self._values["sslrootcert"] != "system":
            return None
        context = ssl.create_default_context()
        if certificate := self._values["sslcert"]:
            password = self._values["sslpassword"] or ""
            context.load_cert_chain(certificate, self._values["sslkey"], lambda: password)
        return context

    def check_key_permissions(self) -> str | None:
        """Return the error if libpq would refuse the key because others may read it, else None."""
        file = self._values["sslkey"]
        if not file or self._values["sslmode"] == "disable" or not Path(file).exists():
            return None
        status = Path(file).stat()
        # As for libpq: a key of root may be read by a group, as Kubernetes mounts secrets.
        group = stat.S_IWGRP | stat.S_IXGRP if status.st_uid == 0 else stat.S_IRWXG
        wrong = status.st_mode & (group | stat.S_IRWXO)
        return f"sslkey {file} may be read by others; chmod 600" if wrong else None

    def find_unreadable_file(self) -> str | None:
        """Return the first file that cannot be read, with the error; None if all can."""
        return find_unreadable_file(self._files())

    def _files(self) -> dict[str, str | None]:
        files = {name: self._values[name] for name in FILES}
        return {name: file for name, file in files.items() if file != "system"}
