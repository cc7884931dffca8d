"""What asyncpg leaves out of libpq's TLS: sslrootcert=system, keys that others may read, names."""

import ssl
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl

from sidecar.databases.url import split

FILES: Final = ("sslrootcert", "sslcert", "sslkey")


class Tls:
    """The TLS parameters of a URL and of libpq's variables."""

    def __init__(self, dsn: str, environment: Mapping[str, str]) -> None:
        """Take them; no file is opened yet."""
        query = dict(parse_qsl(split(dsn).query))
        names = ("sslmode", "sslpassword", *FILES)
        self._said = {
            name: query.get(name) or environment.get(f"PG{name.upper()}") for name in names
        }

    def context(self) -> ssl.SSLContext | None:
        """Return the system's trust where sslrootcert=system asks for it; else asyncpg's own."""
        if self._said["sslrootcert"] != "system":
            return None
        context = ssl.create_default_context()
        if certificate := self._said["sslcert"]:
            password = self._said["sslpassword"] or ""
            context.load_cert_chain(certificate, self._said["sslkey"], lambda: password)
        return context

    def exposed(self) -> str | None:
        """Return that others may read the key, where libpq would refuse it for that."""
        file = self._said["sslkey"]
        if not file or self._said["sslmode"] == "disable" or not Path(file).exists():
            return None
        status = Path(file).stat()
        # As libpq has it: a key of root may be read by a group, as Kubernetes mounts secrets.
        group = stat.S_IWGRP | stat.S_IXGRP if status.st_uid == 0 else stat.S_IRWXG
        wrong = status.st_mode & (group | stat.S_IRWXO)
        return f"sslkey {file} may be read by others; chmod 600" if wrong else None

    def unreadable(self) -> str | None:
        """Return the first file that cannot be read, and why."""
        for name in FILES:
            file = self._said[name]
            try:
                if file and file != "system":
                    Path(file).open("rb").close()
            except OSError as error:
                return f"{name} {file}: {error.strerror}"
        return None
