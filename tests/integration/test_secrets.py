"""Secrets never leave: a canary in every place that takes one, and every output searched for it."""

import gc
import json
import logging
import re
import subprocess
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from sidecar.cli import main
from sidecar.config.load import load
from support import project
from support.postgres import Server, free_port
from support.process import PATIENCE, Sidecar, ask, until

# Whatever cuts, decodes or re-encodes it leaves one of its words.
CANARY = "kanari:@/?#&%25[ vogel"
WORDS = ("kanari", "vogel", "zeisig")
TOKEN = "zeisig-token"  # noqa: S105 - a test's own
USER = "canary_reader"

PATHS = (
    *("/readyz", "/readyz?verbose", "/startupz?verbose", "/livez"),
    *("/healthz", "/status", "/metrics", "/", "/nosuch", "/readyz?token=x"),
)
DEBUG = {
    "SIDECAR_LOG_LEVEL": "debug",
    "PYTHONASYNCIODEBUG": "1",
    "PYTHONDEVMODE": "1",
}


@dataclass(frozen=True)
class Given:
    """What one place asks of the command line and of the environment."""

    environment: Mapping[str, str] = field(default_factory=dict)
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Site:
    """The database that the secret is for, and a folder for files that hold it."""

    folder: Path
    port: int
    database: str

    def url(self, password: str | None = None, query: str = "", user: str = USER) -> str:
        secret = "" if password is None else ":" + quote(password, safe="")
        return f"postgres://{user}{secret}@127.0.0.1:{self.port}/{self.database}{query}"

    def file(self, name: str, content: str) -> str:
        path = self.folder / name
        path.write_text(content)
        path.chmod(0o600)
        return str(path)


Place = Callable[[Site], Given]


def in_url(site: Site) -> Given:
    return Given({"DATABASE_URL": site.url(CANARY)})


def in_own_variable(site: Site) -> Given:
    return Given({"SIDECAR_DATABASE_URL": site.url(CANARY)})


def in_query(site: Site) -> Given:
    return Given({"DATABASE_URL": site.url(query=f"?password={quote_plus(CANARY)}")})


def in_flag(site: Site) -> Given:
    return Given(flags=(f"--database-url={site.url(CANARY)}",))


def in_toml(site: Site) -> Given:
    content = f"database_url = {json.dumps(site.url(CANARY))}\n"
    return Given({"SIDECAR_CONFIG": site.file("sidecar.toml", content)})


def in_password_file(site: Site) -> Given:
    file = site.file("password", CANARY + "\n")
    return Given({"DATABASE_URL": site.url(), "SIDECAR_PASSWORD_FILE": file})


def in_pgpassword(site: Site) -> Given:
    return Given(
        {
            "PGHOST": "127.0.0.1",
            "PGPORT": str(site.port),
            "PGDATABASE": site.database,
            "PGUSER": USER,
            "PGPASSWORD": CANARY,
        }
    )


def in_passfile(site: Site) -> Given:
    file = site.file("pgpass", f"# comment\n127.0.0.1:*:*:{USER}:{CANARY}\n")
    return Given({"DATABASE_URL": site.url(), "PGPASSFILE": file})


def in_passfile_of_url(site: Site) -> Given:
    file = site.file("pgpass", f"*:*:{site.database}:{USER}:{CANARY}\n")
    return Given({"DATABASE_URL": site.url(query=f"?passfile={file}")})


def service_file(site: Site) -> str:
    lines = (
        *("# comment", "[other]", "host=nosuchhost.invalid", "[shop]", "host=127.0.0.1"),
        *(f"port={site.port}", f"dbname={site.database}", f"user={USER}", f"password={CANARY}"),
    )
    return site.file("pg_service.conf", "\n".join(lines) + "\n")


def in_service_of_url(site: Site) -> Given:
    return Given({"DATABASE_URL": "postgres://?service=shop", "PGSERVICEFILE": service_file(site)})


def in_service(site: Site) -> Given:
    return Given({"PGSERVICE": "shop", "PGSERVICEFILE": service_file(site)})


def in_sslpassword(site: Site) -> Given:
    asked = f"?sslmode=prefer&sslpassword={quote(CANARY, safe='')}"
    return Given({"DATABASE_URL": site.url(CANARY, asked)})


PLACES = (
    *(in_url, in_own_variable, in_query, in_flag, in_toml, in_password_file, in_pgpassword),
    *(in_passfile, in_passfile_of_url, in_service_of_url, in_service, in_sslpassword),
)


@pytest.fixture(scope="module")
def port_and_database(server: Server, migrated_template: str) -> tuple[int, str]:
    """A migrated database, and a role whose password is the canary."""
    secret = CANARY.replace("'", "''")
    server.execute(f"CREATE ROLE {USER} LOGIN PASSWORD '{secret}'")
    server.execute(f"CREATE DATABASE aviary TEMPLATE {migrated_template}")
    server.execute(f"GRANT SELECT ON django_migrations TO {USER}", "aviary")
    return server.port, "aviary"


@pytest.fixture
def site(port_and_database: tuple[int, str], tmp_path: Path) -> Site:
    return Site(tmp_path, *port_and_database)


@pytest.fixture(params=["right", "wrong", "unreachable"])
def situation(
    request: pytest.FixtureRequest, server: Server, site: Site
) -> Iterator[tuple[str, Site, str]]:
    """The same secret where it is right, where it is wrong and where nobody asks for it."""
    match request.param:
        case "wrong":
            server.execute(f"ALTER ROLE {USER} PASSWORD 'another'")
            yield "wrong", site, "database_denied"
            secret = CANARY.replace("'", "''")
            server.execute(f"ALTER ROLE {USER} PASSWORD '{secret}'")
        case "unreachable":
            elsewhere = Site(site.folder, free_port(), site.database)
            yield "unreachable", elsewhere, "database_unreachable"
        case _:
            yield "right", site, "schema_current"


def clean(text: str) -> None:
    """Fail where a word of a secret is found, and show what stands around it."""
    found = re.search(f".{{0,60}}({'|'.join(WORDS)}).{{0,20}}", text, re.IGNORECASE)
    assert found is None, f"a secret has left: {found[0]}"


Invoke = Callable[..., tuple[int, str]]


@pytest.fixture
def invoke(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Invoke]:
    """Run a command line in this process, at debug level; return its code and all it printed."""
    handlers = logging.getLogger().handlers[:]
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SIDECAR_LOG_LEVEL", "debug")

    def run(given: Given, *arguments: str) -> tuple[int, str]:
        with monkeypatch.context() as patch:
            for name, value in given.environment.items():
                patch.setenv(name, value)
            try:
                code = main([*arguments, *given.flags])
            except SystemExit as ended:
                code = int(ended.code or 0)
        output = "".join(capfd.readouterr())
        clean(output)
        clean("".join(output.split()))  # A table may have broken a word.
        return code, output

    yield run
    logging.getLogger().handlers[:] = handlers
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        gc.collect()  # What a wait that was cut short leaves to the end of its process.


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_no_command_and_no_endpoint_shows_the_secret(
    place: Place, situation: tuple[str, Site, str], manifest: Path, invoke: Invoke
) -> None:
    """check, wait and serve, as text and as JSON, at debug level: the reason, and no secret."""
    name, site, reason = situation
    given = place(site)
    flag = f"--manifest={manifest}"
    log_format = "--log-format=" + ("json" if PLACES.index(place) % 2 else "text")
    for command, failing in (
        (("check", flag), 20),
        (("check", flag, "--json"), 20),
        (("wait", flag, "--timeout=300ms", log_format), 124),
    ):
        code, output = invoke(given, *command)
        assert code == (0 if name == "right" else failing), output
        assert reason in output or command[0] == "wait"
    serve_and_search(manifest, given, reason, log_format)


def serve_and_search(manifest: Path, given: Given, reason: str, *flags: str) -> None:
    """Serve behind a token that is a secret too; search all that is answered and logged."""
    token = manifest.with_name("token")
    token.write_text(TOKEN)
    flags = (*given.flags, f"--token-file={token}", "--drain-delay=0s", *flags)
    log = ""
    with Serving(manifest, *flags, **given.environment, **DEBUG) as sidecar:
        until(lambda: reason in sidecar.get("/readyz?verbose", **admitted())[1], "it has read")
        for path in PATHS:
            for headers in (admitted(), {}, {"Authorization": f"Bearer {TOKEN}x"}):
                clean("\n".join(map(str, ask(sidecar.url + path, **headers))))
        openmetrics = {"Accept": "application/openmetrics-text;version=1.0.0", **admitted()}
        clean(sidecar.get("/metrics", **openmetrics)[1])
        if not given.flags:
            clean(Path(f"/proc/{sidecar.process.pid}/cmdline").read_text())
        assert sidecar.stop() == 0
        log = sidecar.text
    assert reason in log
    clean(log)


def admitted() -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKEN}"}


class Serving(Sidecar):
    """A sidecar that may log as text."""

    def listening(self) -> list[str]:
        found = re.findall(r"listening on (http://[^\s\",]+)", self.text)
        return list(dict.fromkeys(found))


HERE = "127.0.0.1:1"
MALFORMED = (
    # Characters of a password that should have been percent-encoded.
    f"postgres://u:kanari/vogel@{HERE}/db",
    f"postgres://u:12/vogel@{HERE}/db",
    f"postgres://u:kanari?vogel@{HERE}/db",
    f"postgres://u:12?vogel@{HERE}/db",
    f"postgres://u:12?vogel=1@{HERE}/db",
    f"postgres://u:kanari#vogel@{HERE}/db",
    f"postgres://u:kanari@vogel@{HERE}/db",
    f"postgres://u:kanari@x:vogel@{HERE}/db",
    f"postgres://u:x@kanari:12@{HERE}/db",
    f"postgres://u:kanari%vogel@{HERE}/db",
    f"postgres://u:%zzkanari@{HERE}/db",
    f"postgres://u:kanari vogel@{HERE}/db",
    f"postgres://u:[kanari@{HERE}/db",
    f"postgres://u:kanari]@{HERE}/db",
    f"postgres://u:[kanari]@{HERE}/db",
    f"postgres://u:kanari\u2100vogel@{HERE}/db",
    f"postgres://u:kanari\nvogel@{HERE}/db",
    f"postgres://u:kanari,vogel@{HERE}/db",
    f"postgres://u:kanari:vogel@{HERE}/db",
    # Slashes lost and found.
    f"postgres:/u:kanari@{HERE}/db",
    f"postgres:u:kanari@{HERE}/db",
    f"postgres:///u:kanari@{HERE}/db",
    f"u:kanari@{HERE}/db",
    f"//u:kanari@{HERE}/db",
    f'"postgres://u:kanari@{HERE}/db"',
    f"DATABASE_URL=postgres://u:kanari@{HERE}/db",
    "kanari",
    # Parameters.
    f"postgres://u@{HERE}/db?password=kanari&vogel",
    f"postgres://u@{HERE}/db?password=kanari&vogel=1",
    f"postgres://u@{HERE}/db?password=kanari#vogel",
    f"postgres://u@{HERE}/db?pasword=kanari",
    f"postgres://u@{HERE}/db?PASSWORD=kanari",
    f"postgres://u@{HERE}/db?password=%zzkanari;vogel",
    # Nobody is there, and everything else.
    f"oracle://u:kanari@{HERE}/db",
    f"postgres+psycopg://u:kanari@{HERE}/db",
    "postgres://u:kanari@127.0.0.1:port/db",
    "postgres://u:kanari@127.0.0.1:99999/db",
    "postgres://u:kanari@/db",
    "postgres://u:kanari@",
    "postgres://u:kanari@nosuchhost.invalid/db",
    f"postgres://u:kanari@{HERE}/db?sslmode=x",
    f"postgres://u:kanari@{HERE}/db?target_session_attrs=x",
    f"postgres://u:kanari@{HERE}/db?sslmode=verify-full&sslrootcert=/nosuch",
    f"postgres://u:kanari@{HERE}/db?service=nosuch",
    f"postgres://u:kanari@{HERE}/db?port=x",
    # MySQL's.
    f"mysql://u:kanari@{HERE}/db",
    f"mysql://u:kanari#vogel@{HERE}/db",
    f"mysql://u:kanari/vogel@{HERE}/db",
    f"mysql://u:kanari?vogel@{HERE}/db",
    f"mysql://u:kanari@vogel@{HERE}/db",
    f"mysql://u:kanari:vogel@{HERE}/db",
    f"mysql://u:kanari%zz%@{HERE}/db",
    f"mysql:/u:kanari@{HERE}/db",
    f"mysql:///u:kanari@{HERE}/db",
    "mysql://u:p@127.0.0.1:kanari/db",
    f"mysql://u@{HERE}/db?password=kanari&vogel=1",
    f"mysql://u@{HERE}/db?passwd=kanari",
    f"mysql://u@{HERE}/db?ssl-mode=kanari",
    f"mysql://u:kanari@{HERE}/db?ssl-ca=/nosuch",
    "mysql://u:kanari@nosuchhost.invalid/db",
    "sqlite://u:kanari@h/db",
)


@pytest.mark.parametrize("url", MALFORMED)
def test_a_malformed_url_is_refused_without_its_secret(
    url: str, manifest: Path, invoke: Invoke
) -> None:
    """Whatever is wrong with the URL, no part of the password is shown."""
    given = Given({"DATABASE_URL": url})
    flag = f"--manifest={manifest}"
    checked, _ = invoke(given, "check", flag)
    waited, _ = invoke(given, "wait", flag, "--timeout=200ms", "--log-format=json")
    assert (checked, waited) in {(64, 64), (20, 124)}


@pytest.mark.parametrize(
    "lines",
    [
        f"password={CANARY}",
        f"[shop]\n{CANARY}",
        f"[shop]\nhost=127.0.0.1\nport=1\npassword={CANARY}\npassword={CANARY}",
        f"[shop]\nhost=127.0.0.1\nport=1\npassword=%({CANARY})s",
        f"[shop]\nhost=127.0.0.1\nport={CANARY}",
        f"[{CANARY}\n",
        f"[shop]\nhost={CANARY}",
    ],
)
def test_a_malformed_service_file_is_refused_without_its_secret(
    lines: str, manifest: Path, tmp_path: Path, invoke: Invoke
) -> None:
    """A parser's complaint quotes the line that it cannot read; ours must not."""
    file = Site(tmp_path, 1, "").file("pg_service.conf", lines)
    for given in (
        Given({"DATABASE_URL": "postgres://?service=shop", "PGSERVICEFILE": file}),
        Given({"PGSERVICE": "shop", "PGSERVICEFILE": file}),
    ):
        code, _ = invoke(given, "check", f"--manifest={manifest}")
        assert code in {20, 64}


@pytest.mark.parametrize(
    ("lines", "mode"),
    [(CANARY, 0o600), (f"*:{CANARY}", 0o600), (f"*:*:*:*:{CANARY}", 0o644), ("\0" + CANARY, 0o600)],
)
def test_a_malformed_passfile_is_reported_without_its_secret(
    lines: str, mode: int, site: Site, manifest: Path, invoke: Invoke
) -> None:
    """Half a line, or a file that others may read: no password from there, and none shown."""
    file = site.file("pgpass", lines)
    Path(file).chmod(mode)
    given = Given({"DATABASE_URL": site.url(), "PGPASSFILE": file})
    assert invoke(given, "check", f"--manifest={manifest}")[0] == 20


@pytest.mark.parametrize(
    "content",
    [
        f"database_url = postgres://u:{CANARY}@h/db",
        f'database_ulr = "postgres://u:{quote(CANARY, safe="")}@h/db"',
        f'database_url = "postgres://u:{CANARY}@h/db',
        f'[database_url]\npassword = "{CANARY}"',
        f'database_url = ["postgres://u:{CANARY}@h/db"]',
        f'password = "{CANARY}"',
        f'DATABASE_URL = "{CANARY}"\nDATABASE_URL = "{CANARY}"',
    ],
)
def test_a_malformed_toml_file_is_refused_without_its_secret(
    content: str, manifest: Path, tmp_path: Path, invoke: Invoke
) -> None:
    """The place is named, and not what is written there."""
    file = Site(tmp_path, 1, "").file("sidecar.toml", content)
    given = Given({"SIDECAR_CONFIG": file})
    assert invoke(given, "check", f"--manifest={manifest}")[0] == 64


@pytest.mark.parametrize("content", [CANARY.encode() + b"\xff", None])
def test_a_password_file_that_cannot_be_read_is_denied(
    content: bytes | None, site: Site, manifest: Path, invoke: Invoke
) -> None:
    """Not text, or not there: its path, and nothing of what is in it."""
    file = site.folder / "password"
    if content is not None:
        file.write_bytes(content)
    given = Given({"DATABASE_URL": site.url(), "SIDECAR_PASSWORD_FILE": str(file)})
    code, output = invoke(given, "check", f"--manifest={manifest}")
    assert code == 20
    expected = f"database_denied: the password file {file} cannot be read"
    assert "".join(expected.split()) in "".join(output.split())


@pytest.mark.parametrize(
    "secret", ["kanari\x00vogel", "kanari\u0007", "\u0627kanari1", "kanari" * 500]
)
def test_a_password_that_no_server_takes_is_denied_and_not_shown(
    secret: str, site: Site, manifest: Path, invoke: Invoke
) -> None:
    """What SASLprep forbids, or a whole file by mistake: refused like any wrong password."""
    file = site.file("password", secret)
    given = Given({"DATABASE_URL": site.url(), "SIDECAR_PASSWORD_FILE": file})
    code, output = invoke(given, "check", f"--manifest={manifest}")
    assert code == 20
    assert "database_denied" in output


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", f"postgres://u:{CANARY}@h/db"),
        ("check", f"--database-urll=postgres://u:{CANARY}@h/db"),
        ("check", f"--password={CANARY}"),
        ("wait", f"--json=postgres://u:{CANARY}@h/db"),
        ("check", f"--json=postgres://u:{CANARY}@h/db"),
        (f"postgres://u:{CANARY}@h/db",),
        (f"--database-url=postgres://u:{CANARY}@h/db", "check"),
        ("healthcheck", f"--database-url=postgres://u:{CANARY}@h/db"),
    ],
)
def test_a_mistaken_argument_is_refused_without_its_secret(
    arguments: tuple[str, ...], invoke: Invoke
) -> None:
    """A URL where none belongs, or a flag misspelt: the flag is named, its value is not."""
    command, *flags = arguments
    assert invoke(Given(), command, *flags)[0] in {64, 1}


@pytest.mark.parametrize(
    ("variable", "code"),
    [("SIDECAR_DATABASE_URI", 64), ("SIDECAR_PASSWORD", 20), ("SIDECAR_TOKEN", 20)],
)
def test_a_mistaken_variable_is_named_without_its_secret(
    variable: str, code: int, manifest: Path, invoke: Invoke
) -> None:
    """A misspelt setting is an error, a variable of somebody else a warning; no value is shown."""
    given = Given({variable: CANARY, "DATABASE_URL": "postgres://u@127.0.0.1:1/d"})
    ended, output = invoke(given, "check", f"--manifest={manifest}")
    assert ended == code
    assert variable in output


@pytest.mark.parametrize("command", ["serve", "check", "wait", "diff", "healthcheck", "bake"])
def test_help_shows_defaults_and_not_what_is_set(command: str, site: Site, invoke: Invoke) -> None:
    """--help is pasted into issues: whatever the environment holds, it is not there."""
    variables = {**in_url(site).environment, **in_toml(site).environment, "PGPASSWORD": CANARY}
    assert invoke(Given(variables), command, "--help")[0] == 0


def test_a_traceback_shows_no_secret(site: Site, manifest: Path) -> None:
    """What nobody foresaw is logged with where it happened, at debug level, and no secret."""
    with Path("/dev/null").open() as unwritable:
        ended = subprocess.run(
            [project.sidecar(), "check", f"--manifest={manifest}"],
            check=False, env=project.environment(
                **in_url(site).environment, **DEBUG, PYTHONUNBUFFERED="1"
            ),
            stdout=unwritable, stderr=subprocess.PIPE, text=True, timeout=60 * PATIENCE,
        )  # fmt: skip
    assert "Traceback" in ended.stderr
    clean(ended.stderr)


def test_settings_do_not_show_the_url_when_printed(site: Site) -> None:
    """A Settings that ends up in a log line or an assertion shows no URL."""
    clean(repr(load({}, in_url(site).environment)))


def test_the_canary_is_found_where_it_is_shown() -> None:
    """The search itself works: raw, percent-encoded, cut or quoted, the secret is found."""
    for text in (CANARY, quote(CANARY, safe=""), CANARY[:8], repr(CANARY[10:]), TOKEN.upper()):
        with pytest.raises(AssertionError, match="a secret has left"):
            clean(f"somewhere in {text} a line")
