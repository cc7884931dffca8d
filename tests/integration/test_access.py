"""Details may be restricted; probes are answered all the same."""

import os
import ssl
import urllib.request
from base64 import b64encode
from pathlib import Path

import pytest
import trustme

from support.database import Database
from support.process import PATIENCE, Sidecar, ask, until

TOKEN = "s3cret-token"  # noqa: S105 - a test's own


def test_details_ask_for_the_token_and_probes_do_not(migrated: Database, manifest: Path) -> None:
    """/metrics and /status need the bearer token; bare probes never do, verbose ones do."""
    file = manifest.with_name("token")
    file.write_text(TOKEN + "\n")
    with Sidecar(manifest, f"--token-file={file}", url=migrated.reader) as sidecar:
        until(sidecar.ready, "the gate opens")
        good = {"Authorization": f"Bearer {TOKEN}"}
        password = f"Basic {b64encode(f'me:{TOKEN}'.encode()).decode()}"
        for path in ("/metrics", "/status", "/"):
            assert sidecar.get(path, **good)[0] == 200
            assert sidecar.get(path, Authorization=password)[0] == 200
            for wrong in ("", "Bearer x", f"Basic {TOKEN}", "Basic bWU6", f"Digest {TOKEN}"):
                assert sidecar.get(path, Authorization=wrong)[0] == 401
        assert sidecar.get("/readyz?verbose") == (200, "schema_current\n")
        assert sidecar.get("/readyz?verbose", **good)[1].startswith("[+]default ok")
        assert sidecar.get("/livez")[0] == 200

        file.write_text("rotated")
        assert sidecar.get("/status", **good)[0] == 401
        assert sidecar.get("/status", Authorization="bearer rotated")[0] == 200
        file.unlink()
        assert sidecar.get("/status", Authorization="Bearer ")[0] == 401
        assert TOKEN not in sidecar.text


def test_details_can_be_served_with_tls_and_its_files_rotated(
    migrated: Database, manifest: Path
) -> None:
    """The details' listener speaks TLS; a new certificate is used without a restart."""
    certificate, key = manifest.with_name("tls.crt"), manifest.with_name("tls.key")

    def issue(authority: trustme.CA) -> None:
        issued = authority.issue_cert("127.0.0.1")
        certificate.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
        key.write_bytes(issued.private_key_pem.bytes())

    def fetch(url: str, authority: trustme.CA) -> int:
        context = ssl.create_default_context()
        authority.configure_trust(context)
        with urllib.request.urlopen(url, context=context, timeout=5 * PATIENCE) as answer:  # noqa: S310
            return int(answer.status)

    first, second = trustme.CA(), trustme.CA()
    issue(first)
    flags = ("--details-listen=127.0.0.1:0", f"--tls-cert={certificate}", f"--tls-key={key}")
    with Sidecar(manifest, *flags, url=migrated.reader) as sidecar:
        until(lambda: len(sidecar.listening()) == 2, "both listen")
        probes, details = sidecar.listening()
        assert details.startswith("https://")
        assert fetch(f"{details}/status", first) == 200
        issue(second)
        assert fetch(f"{details}/status", second) == 200
        certificate.write_text("broken")
        assert fetch(f"{details}/metrics", second) == 200
        assert ask(probes + "/livez")[0] == 200


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--token-file=no"], "token_file no: cannot be read, or is empty"),
        (["--tls-cert=x"], "tls_cert and tls_key go together"),
        (["--tls-cert=x", "--tls-key=y"], "tls_cert needs details_listen"),
        (
            ["--tls-cert=x", "--tls-key=y", "--details-listen=127.0.0.1:0"],
            "tls_cert x, tls_key y: No such file or directory",
        ),
    ],
)
def test_an_unusable_token_or_certificate_is_refused(
    manifest: Path, flags: list[str], message: str
) -> None:
    """A token or certificate that cannot be used stops the start, with one line."""
    url = "postgres://u:p@127.0.0.1:1/db"
    with pytest.raises(AssertionError) as ended, Sidecar(manifest, *flags, url=url):
        pass
    assert message in str(ended.value)
    assert "Traceback" not in str(ended.value)


def test_files_that_become_fifos_stop_nothing(migrated: Database, manifest: Path) -> None:
    """No answer waits for the writer of a FIFO, as token, URL or state file, nor does SIGTERM."""
    names = ("token", "url", "state")
    token, url, state = files = [manifest.with_name(name) for name in names]
    token.write_text(TOKEN)
    url.write_text(migrated.reader)
    flags = (f"--token-file={token}", f"--state-file={state}", "--interval=100ms")
    with Sidecar(manifest, *flags, SIDECAR_DATABASE_URL_FILE=str(url)) as sidecar:
        until(sidecar.ready, "the gate opens")
        for file in files:
            file.unlink(missing_ok=True)
            os.mkfifo(file)
        assert sidecar.get("/status", Authorization=f"Bearer {TOKEN}")[0] == 401
        until(lambda: "cannot be read" in sidecar.text, "the URL's file is missed")
        assert sidecar.get("/livez")[0] == 200
        assert sidecar.stop() == 0
