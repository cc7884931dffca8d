"""Certificates for tests, good and bad ones, and a PostgreSQL that serves them."""

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from support import needs
from support.database import READER, add_database
from support.postgres import Server

LONG_AGO = datetime(2019, 1, 1, tzinfo=UTC)
KEY_PASSWORD = "open sesame"  # noqa: S105 - a test's own

# A database for each way in which a server lets its clients in.
HBA = f"""
    host      all     postgres 127.0.0.1/32 scram-sha-256
    hostssl   secure  {READER} 127.0.0.1/32 scram-sha-256
    hostnossl clear   {READER} 127.0.0.1/32 scram-sha-256
    host      either  {READER} 127.0.0.1/32 scram-sha-256
    hostssl   certs   {READER} 127.0.0.1/32 scram-sha-256 clientcert=verify-full
    local     all     all                   scram-sha-256
"""
DATABASES = ("secure", "clear", "either", "certs")


def programs() -> Path:
    """Return a PostgreSQL that was built with TLS; the wheel's was not."""
    needs.declare("postgresql_tls")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    return found[-1].parent if found else needs.missing("postgresql_tls")


def make_certificates(folder: Path) -> None:
    """Write certificates and keys as PEM files; `ca.pem` is the authority to trust."""
    ours, other = trustme.CA(), trustme.CA()
    ours.cert_pem.write_to_path(str(folder / "ca.pem"))
    other.cert_pem.write_to_path(str(folder / "other-ca.pem"))
    here = ("127.0.0.1", "localhost")
    for name, issued in {
        "good": ours.issue_cert(*here),
        "other-host": ours.issue_cert("db.example"),
        "common-name": ours.issue_cert(common_name="localhost"),
        "expired": ours.issue_cert(*here, not_before=LONG_AGO, not_after=LONG_AGO),
        "other-authority": other.issue_cert(*here),
        "client": ours.issue_cert(common_name=READER),
        "client-other-role": ours.issue_cert(common_name="somebody"),
        "client-other-authority": other.issue_cert(common_name=READER),
    }.items():
        chain = b"".join(pem.bytes() for pem in issued.cert_chain_pems)
        _write(folder, name, chain, issued.private_key_pem.bytes())
    _write(folder, "self-signed", other.cert_pem.bytes(), other.private_key_pem.bytes())
    _make_odd_keys(folder)


def _make_odd_keys(folder: Path) -> None:
    pem = (folder / "client.key").read_bytes()
    for mode in (0o640, 0o644):
        (folder / f"client-{mode:o}.key").write_bytes(pem)
        (folder / f"client-{mode:o}.key").chmod(mode)
    secret = BestAvailableEncryption(KEY_PASSWORD.encode())
    key = load_pem_private_key(pem, None)
    encrypted = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, secret)
    _write(folder, "client-encrypted", b"", encrypted)
    _write(folder, "client-combined", (folder / "client.crt").read_bytes() + pem, b"")


def _write(folder: Path, name: str, certificate: bytes, key: bytes) -> None:
    for suffix, content in ((".crt", certificate), (".key", key)):
        if content:
            path = folder / (name + suffix)
            path.touch(0o600)
            path.write_bytes(content)


class TlsServer(Server):
    """A server that serves one of the certificates, chosen by the test, or none."""

    def __init__(self, certificates: Path) -> None:
        """Make the cluster."""
        super().__init__(programs())
        self._certificates = certificates
        self.serving = ""

    def __enter__(self) -> Self:
        """Start without TLS."""
        self.start()
        for name in DATABASES:
            add_database(self, name)
        (self.data / "pg_hba.conf").write_text(HBA)
        self._copy("ca.pem", "root.crt")
        self.serve("off")
        return self

    def serve(self, name: str) -> None:
        """Start anew with this certificate; `off` is without TLS, `old` without TLS 1.3."""
        if name != self.serving:
            self.stop()
            self.settings = {"ssl": "off"}
            if name != "off":
                for suffix in (".crt", ".key"):
                    self._copy(("good" if name == "old" else name) + suffix, "server" + suffix)
                self.settings = {"ssl": "on", "ssl_ca_file": "root.crt"}
            if name == "old":
                self.settings["ssl_max_protocol_version"] = "TLSv1.2"
            self.start()
            self.serving = name

    def _copy(self, name: str, to: str) -> None:
        target = self.data / to
        shutil.copyfile(self._certificates / name, target)
        target.chmod(0o600)
        if os.geteuid() == 0:
            shutil.chown(target, "nobody")
