"""TLS to a real PostgreSQL: what each sslmode means, compared with libpq itself."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlencode

import psycopg
import pytest

from sidecar.databases.base import Address
from sidecar.databases.postgres.reader import Postgres
from sidecar.errors import DatabaseDenied, DatabaseError, UsageError
from support import project
from support.database import READER
from support.postgres import PASSWORD
from support.process import PATIENCE, Sidecar, until
from support.tls import KEY_PASSWORD, TlsServer, make_certificates

pytestmark = pytest.mark.postgresql_tls

MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
NO_MATCH = "certificate is not valid for '127.0.0.1'"
NO_ENTRY = "no pg_hba.conf entry"
NO_TLS = "rejected SSL upgrade"
NO_ROOT = 'root.crt" does not exist'
NO_FILE = "No such file or directory"


@dataclass(frozen=True)
class Row:
    """Connecting with `query` ends in `tls`, in `clear`, or in a refusal with these words."""

    serving: str
    database: str
    query: dict[str, str]
    ends: str
    libpq: str = ""
    """Where libpq ends elsewhere: `tls`, `clear` or `refused`."""
    host: str = "127.0.0.1"
    environment: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:  # noqa: D105 - a name for the test
        asked = urlencode({**self.query, **self.environment}) or "nothing"
        return f"{self.serving}-{self.database}-{asked}"


def by_mode(
    serving: str, database: str, ends: str, more: str = "", differing: str = "", host: str = ""
) -> Iterator[Row]:
    """Yield a row for each sslmode; `ends` and `differing` hold a word each, `-` for nothing."""
    extra = dict(pair.split("=") for pair in more.split())
    differences = differing.split() or ["-"] * len(MODES)
    for mode, end, libpq in zip(MODES, ends.split(), differences, strict=True):
        yield Row(
            serving,
            database,
            {"sslmode": mode, **extra},
            WORDS.get(end, end),
            libpq.strip("-"),
            host or "127.0.0.1",
        )


WORDS = {
    "no-tls": NO_TLS,
    "no-entry": NO_ENTRY,
    "no-root": NO_ROOT,
    "no-match": NO_MATCH,
    "no-file": NO_FILE,
    "no-trust": "certificate verify failed: ",
    "expired": "certificate verify failed: certificate has expired",
    "self": "certificate verify failed: self-signed certificate",
    "old": "alert protocol version",
}
ROOT = "sslrootcert=ca.pem"
OTHER = "sslrootcert=other-ca.pem"
CERTIFICATE = {"sslcert": "client.crt", "sslkey": "client.key"}

# fmt: off
ROWS = [
    #                                disable  allow   prefer  require  verify-ca verify-full
    Row("off", "either", {}, "clear"),
    *by_mode("off", "either",       "clear    clear   clear   no-tls   no-root   no-root"),
    *by_mode("off", "either",       "clear    clear   clear   no-tls   no-tls    no-tls", ROOT),

    Row("good", "either", {}, "tls"),
    *by_mode("good", "either",      "clear    clear   tls     tls      no-root   no-root"),
    *by_mode("good", "either",      "clear    clear   tls     tls      tls       tls", ROOT),
    Row("good", "secure", {}, "tls"),
    *by_mode("good", "secure",      "no-entry tls     tls     tls      no-root   no-root"),
    *by_mode("good", "secure",      "no-entry tls     tls     tls      tls       tls", ROOT),
    Row("good", "clear", {}, "clear"),
    *by_mode("good", "clear",       "clear    clear   clear   no-entry no-root   no-root"),
    *by_mode("good", "clear",       "clear    clear   clear   no-entry no-entry  no-entry", ROOT),
    *by_mode("good", "either",      "clear    clear   tls     tls      tls       tls", ROOT,
             host="localhost"),

    # libpq verifies as soon as there is a root certificate, and so falls back to no TLS at all.
    *by_mode("good", "either",      "clear    clear   tls     no-trust no-trust  no-trust", OTHER,
                                    "-        -       clear   -        -         -"),
    *by_mode("good", "secure",      "no-entry tls     tls     no-trust no-trust  no-trust", OTHER,
                                    "-        refused refused -        -         -"),
    # A root certificate that is named and absent: libpq goes on without one.
    *by_mode("good", "either",      "clear    clear   tls     no-file  no-file   no-file",
             "sslrootcert=absent.pem",
                                    "-        -       -       tls      -         -"),

    *by_mode("other-host", "either", "clear   clear   tls     tls      tls       no-match", ROOT),
    *by_mode("common-name", "either", "clear  clear   tls     tls      tls       tls", ROOT,
             host="localhost"),
    *by_mode("other-authority", "either", "clear clear tls    no-trust no-trust  no-trust", ROOT,
                                    "-        -       clear   -        -         -"),
    *by_mode("expired", "either",   "clear    clear   tls     expired  expired   expired", ROOT,
                                    "-        -       clear   -        -         -"),
    *by_mode("self-signed", "either", "clear  clear   tls     self     self      self", ROOT,
                                    "-        -       clear   -        -         -"),
    *by_mode("self-signed", "either", "clear  clear   tls     tls      tls       no-match", OTHER),
    Row("expired", "either", {"sslmode": "require"}, "tls"),
    Row("self-signed", "either", {"sslmode": "require"}, "tls"),

    *by_mode("old", "either",       "clear    clear   clear   old      old       old",
             f"{ROOT} ssl_min_protocol_version=TLSv1.3"),
    Row("old", "either", {"sslmode": "require"}, "tls"),

    # libpq's variables count where the URL sets nothing.
    Row("good", "either", {}, "tls",
        environment={"PGSSLMODE": "verify-full", "PGSSLROOTCERT": "ca.pem"}),
    Row("good", "either", {}, "no-root", environment={"PGSSLMODE": "verify-full"}),
    Row("good", "either", {}, "clear", environment={"PGSSLMODE": "disable"}),
    Row("good", "either", {"sslmode": "require"}, "tls", environment={"PGSSLMODE": "disable"}),

    # An address in the place of the name's own: the certificate must name the host all the same.
    Row("good", "either", {"sslmode": "require", "hostaddr": "127.0.0.1"}, "tls", host="h.invalid"),
    Row("good", "either", {"sslmode": "verify-full", "sslrootcert": "ca.pem",
                           "hostaddr": "127.0.0.1"}, "tls", host="localhost"),
    Row("good", "either", {"sslmode": "verify-full", "sslrootcert": "ca.pem",
                           "hostaddr": "127.0.0.1"}, "not valid for 'h.invalid'", host="h.invalid"),
    Row("good", "either", {"sslmode": "disable"}, "clear", host="h.invalid",
        environment={"PGHOSTADDR": "127.0.0.1"}),
    Row("good", "either", {}, "refused", environment={"PGHOSTADDR": "127.0.0.9"}),

    # A server that asks its clients for certificates.
    Row("good", "certs", {"sslmode": "require"}, "requires a valid client certificate"),
    Row("good", "certs", {"sslmode": "verify-full", "sslrootcert": "ca.pem", **CERTIFICATE}, "tls"),
    Row("good", "certs", {"sslmode": "prefer", **CERTIFICATE}, "tls"),
    Row("good", "certs", {"sslmode": "allow", **CERTIFICATE}, "tls"),
    Row("good", "certs", {"sslmode": "disable", **CERTIFICATE}, NO_ENTRY),
    Row("good", "certs", {"sslmode": "require"}, "tls",
        environment={"PGSSLCERT": "client.crt", "PGSSLKEY": "client.key"}),
    Row("good", "certs", {"sslmode": "require", "sslcert": "client-other-role.crt",
                          "sslkey": "client-other-role.key"}, "authentication failed"),
    Row("good", "certs", {"sslmode": "require", "sslcert": "client-other-authority.crt",
                          "sslkey": "client-other-authority.key"}, "connection was closed"),
    Row("good", "certs", {"sslmode": "require", "sslcert": "client.crt",
                          "sslkey": "client-other-role.key"}, "key values mismatch"),
    Row("good", "certs", {"sslmode": "require", "sslcert": "client.crt",
                          "sslkey": "client-encrypted.key", "sslpassword": KEY_PASSWORD}, "tls"),
    Row("good", "certs", {"sslmode": "require", "sslcert": "client.crt",
                          "sslkey": "client-encrypted.key", "sslpassword": "wrong"}, "PEM lib"),
    Row("good", "certs", {"sslmode": "require", "sslcert": "client.crt",
                          "sslkey": "absent.key"}, NO_FILE),
    Row("good", "certs", {"sslmode": "require", "sslcert": "absent.crt",
                          "sslkey": "client.key"}, NO_FILE),
    # One file may hold both for us; libpq wants the key in a file of its own.
    Row("good", "certs", {"sslmode": "require", "sslcert": "client-combined.crt"}, "tls",
        libpq="refused"),
    # A certificate that is named and absent: libpq goes on without one.
    Row("good", "either", {"sslmode": "require", "sslcert": "absent.crt",
                           "sslkey": "client.key"}, NO_FILE, libpq="tls"),
]
# fmt: on


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    make_certificates(folder)
    return folder


@pytest.fixture(scope="module")
def tls_server(certificates: Path) -> Iterator[TlsServer]:
    with TlsServer(certificates) as running:
        yield running


@pytest.fixture(autouse=True)
def _no_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither library may find files in ~/.postgresql."""
    monkeypatch.setenv("HOME", str(tmp_path))


def place(certificates: Path, values: dict[str, str]) -> dict[str, str]:
    """Return the values with names of files made whole."""
    files = (".pem", ".crt", ".key")
    return {
        name: str(certificates / value) if value.endswith(files) else value
        for name, value in values.items()
    }


def url(server: TlsServer, row: Row, certificates: Path) -> str:
    asked = urlencode(place(certificates, row.query), quote_via=quote)
    whole = server.url(row.database, READER).replace("127.0.0.1", row.host)
    return f"{whole}?{asked}" if asked else whole


async def ours(server: TlsServer, address: str) -> str:
    """Return how a read ends: as the server saw the connection, or in which words."""
    database = Postgres(Address(url=address, connect_timeout=30, read_timeout=30))
    try:
        await database.read()
        assert database._session.connection is not None
        transport = database._session.connection._transport  # type: ignore[attr-defined]
        port = transport.get_extra_info("sockname")[1]
        ((encrypted,),) = server.execute(
            "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)"
            f" WHERE client_port = {port}"
        )
    except DatabaseError as error:
        return str(error)
    else:
        return "tls" if encrypted else "clear"
    finally:
        await database.release()


def theirs(address: str) -> str:
    """Return how libpq ends: `tls`, `clear` or `refused`."""
    try:
        with psycopg.connect(address, connect_timeout=30) as connection:
            row = connection.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
            return "tls" if row.fetchone() == (True,) else "clear"
    except psycopg.OperationalError:
        return "refused"


@pytest.mark.parametrize("row", ROWS, ids=str)
async def test_sslmode_does_what_it_does_in_libpq(
    tls_server: TlsServer, certificates: Path, row: Row, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over TLS, in clear or refused with a reason: as with libpq, unless `Row.libpq` differs."""
    for name, value in place(certificates, row.environment).items():
        monkeypatch.setenv(name, value)
    tls_server.serve(row.serving)
    address = url(tls_server, row, certificates)
    ended = await ours(tls_server, address)
    assert PASSWORD not in ended
    assert KEY_PASSWORD not in ended
    if row.ends in {"tls", "clear"}:
        assert ended == row.ends
    else:
        assert WORDS.get(row.ends, row.ends) in ended
    expected = row.libpq or (row.ends if row.ends in {"tls", "clear"} else "refused")
    assert theirs(address) == expected


@pytest.fixture
def good(tls_server: TlsServer) -> TlsServer:
    tls_server.serve("good")
    return tls_server


def test_a_gate_over_tls_holds_when_trust_ends_and_takes_a_new_root(
    tls_server: TlsServer, certificates: Path, manifest: Path
) -> None:
    """verify-full, end to end: a new authority is not trusted until its root file is in place."""
    tls_server.serve("good")
    root = manifest.with_name("root.pem")
    root.write_bytes((certificates / "ca.pem").read_bytes())
    asked = urlencode({"sslmode": "verify-full", "sslrootcert": root})
    migrator = tls_server.url("secure")
    project.manage("migrate", "--verbosity=0", url=migrator)
    flags = ("--interval=100ms", "--connect-timeout=20s", "--read-timeout=20s")
    address = f"{tls_server.url('secure', READER)}?{asked}"
    try:
        with Sidecar(manifest, *flags, url=address) as sidecar:
            until(sidecar.ready, "the gate opens")
            tls_server.serve("other-authority")
            message = "certificate verify failed"
            until(lambda: message in sidecar.get("/readyz?verbose")[1], "it warns", within=40)
            assert sidecar.ready()
            root.write_bytes((certificates / "other-ca.pem").read_bytes())
            until(lambda: sidecar.status()["phase"] == "open", "it recovers", within=40)
            assert PASSWORD not in sidecar.text
    finally:
        tls_server.execute("TRUNCATE django_migrations", "secure")


@pytest.mark.parametrize("mode", ["verify_full", "REQUIRE", "on", "parse"])
def test_an_sslmode_that_libpq_does_not_know_is_a_usage_error(good: TlsServer, mode: str) -> None:
    """A typo must neither be guessed at nor seem an outage; the line lists what is known."""
    address = f"{good.url('either', READER)}?sslmode={mode}"
    assert theirs(address) == "refused"
    with pytest.raises(UsageError, match="disable, allow, prefer, require, verify-ca, verify-full"):
        Postgres(Address(url=address))


@pytest.mark.parametrize("query", ["sslmode=verify-full&sslrootcert=system", "sslrootcert=system"])
async def test_system_roots_verify_as_libpq_does(good: TlsServer, query: str) -> None:
    """sslrootcert=system trusts public authorities, which ours is not, and implies verify-full."""
    address = f"{good.url('either', READER)}?{query}"
    assert theirs(address) == "refused"
    assert "certificate verify failed" in await ours(good, address)


def test_system_roots_ask_for_verify_full(good: TlsServer) -> None:
    """sslrootcert=system with a weaker sslmode is refused, as libpq does."""
    address = f"{good.url('either', READER)}?sslmode=require&sslrootcert=system"
    assert theirs(address) == "refused"
    with pytest.raises(UsageError, match="sslrootcert=system needs sslmode=verify-full"):
        Postgres(Address(url=address))


async def test_a_key_that_others_may_read_is_refused(good: TlsServer, certificates: Path) -> None:
    """A private key open to the world is no secret; libpq refuses it too."""
    row = Row(
        "good", "certs", {"sslmode": "require", **CERTIFICATE, "sslkey": "client-644.key"}, ""
    )
    address = url(good, row, certificates)
    assert theirs(address) == "refused"
    ended = await ours(good, address)
    assert "client-644.key" in ended
    assert "chmod 600" in ended


async def test_a_key_of_a_group_is_taken_where_libpq_takes_it(
    good: TlsServer, certificates: Path
) -> None:
    """Kubernetes mounts secrets as root's, readable by fsGroup: 0640 is fine if root owns it."""
    row = Row(
        "good", "certs", {"sslmode": "require", **CERTIFICATE, "sslkey": "client-640.key"}, ""
    )
    address = url(good, row, certificates)
    if (certificates / "client-640.key").stat().st_uid == 0:
        assert (await ours(good, address), theirs(address)) == ("tls", "tls")
    else:
        assert "chmod 600" in await ours(good, address)
        assert theirs(address) == "refused"


@pytest.mark.parametrize("name", ["sslrootcert", "sslcert", "sslkey"])
async def test_a_file_that_is_not_there_is_named(
    good: TlsServer, certificates: Path, name: str
) -> None:
    """No such file: which one."""
    query = {"sslmode": "require", **CERTIFICATE, name: "absent.pem"}
    ended = await ours(good, url(good, Row("good", "certs", query, ""), certificates))
    assert f"{name} {certificates / 'absent.pem'}" in ended


def test_an_encrypted_key_without_its_password_asks_nobody(
    good: TlsServer, certificates: Path, manifest: Path
) -> None:
    """A sidecar has no keyboard: the read fails, and no pass phrase is prompted for."""
    query = {"sslmode": "require", **CERTIFICATE, "sslkey": "client-encrypted.key"}
    address = url(good, Row("good", "certs", query, ""), certificates)
    ended = subprocess.run(
        [project.sidecar(), "check", f"--manifest={manifest}"],
        check=False, env=project.environment(DATABASE_URL=address), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=60 * PATIENCE, start_new_session=True,
    )  # fmt: skip
    assert ended.returncode == 20
    assert "pass phrase" not in ended.stdout + ended.stderr


@pytest.mark.parametrize(
    ("serving", "query"),
    [
        ("off", {"sslmode": "require"}),
        ("expired", {"sslmode": "verify-full", "sslrootcert": "ca.pem"}),
        ("other-host", {"sslmode": "verify-full", "sslrootcert": "ca.pem"}),
        ("good", {"sslmode": "verify-full", "sslrootcert": "other-ca.pem"}),
        ("good", {"sslmode": "verify-full", "sslrootcert": "absent.pem"}),
        ("good", {"sslmode": "verify-full"}),
    ],
)
async def test_a_server_that_is_not_trusted_is_denied_and_not_unreachable(
    tls_server: TlsServer, certificates: Path, serving: str, query: dict[str, str]
) -> None:
    """The server is there; what does not fit is TLS, and the line names what to check."""
    tls_server.serve(serving)
    database = Postgres(
        Address(url=url(tls_server, Row(serving, "either", query, ""), certificates))
    )
    with pytest.raises(DatabaseDenied, match=r"check ssl|sslrootcert /"):
        await database.read()


@pytest.mark.parametrize(
    ("database", "mode"), [("secure", "disable"), ("clear", "require"), ("certs", "require")]
)
async def test_a_refusal_of_pg_hba_names_what_to_check(
    good: TlsServer, database: str, mode: str
) -> None:
    """The password is not at fault when pg_hba.conf wants TLS, none, or a certificate."""
    found = Postgres(Address(url=f"{good.url(database, READER)}?sslmode={mode}"))
    with pytest.raises(DatabaseDenied, match="sslmode") as caught:
        await found.read()
    assert "check user and password" not in str(caught.value)
