"""Every setting, once: flag, `SIDECAR_*` variable and TOML key of the same name, and help."""

from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from sidecar.config.parse import (
    DURATION,
    FILE,
    LIST,
    NEVER_OR_DURATION,
    NUMBER,
    POSITIVE,
    SQL,
    SWITCH,
    TEXT,
    URL,
    Kind,
    one_of,
)
from sidecar.errors import UsageError

GROUPS: Final = {
    "manifest": "Manifest",
    "database": "Database",
    "verdict": "Verdict",
    "gate": "Gate",
    "serve": "HTTP server",
    "migrate": "Migrate run",
    "wait": "Waiting",
    "log": "Log",
}
"""The groups of settings in the order of help, with their titles; a command has whole groups."""


def setting(group: str, kind: Kind, default: Any, text: str) -> Any:  # noqa: ANN401
    """Declare a setting: its group, how its value is written, its default and its help."""
    return field(
        default=default,
        repr=not kind.secret,
        metadata={"group": group, "kind": kind, "help": text},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """A further database: its name in Django's DATABASES, and where it is."""

    name: str
    url: str | None = field(default=None, repr=False)
    url_file: Path | None = None
    password_file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the operator decided; durations in seconds."""

    manifest: Path = setting("manifest", FILE, Path("manifest.json"), "the baked manifest")
    database_url: str | None = setting(
        "database", URL, None, "where the rows are; else DATABASE_URL, else libpq's PG*"
    )
    database_url_file: Path | None = None
    """Where `database_url` came from, if SIDECAR_DATABASE_URL_FILE named it."""
    password_file: Path | None = setting(
        "database", FILE, None, "file with the password, read anew at every connect"
    )
    schemas: tuple[str, ...] = setting(
        "database",
        LIST,
        (),
        "schemas to watch: names, tenant_*, all, ALIAS:tenant_*; else the one that Django uses",
    )
    schemas_query: str | None = setting(
        "database", SQL, None, "query that returns further schemas to watch, such as the tenants'"
    )
    aliases: tuple[Alias, ...] = ()
    """From SIDECAR_DATABASE_URL_<ALIAS>, or the file's `[databases.<alias>]`."""
    connect_timeout: float = setting("database", POSITIVE, 3.0, "limit for connecting")
    read_timeout: float = setting("database", POSITIVE, 5.0, "limit for one read")
    empty_schemas: str = setting(
        "verdict",
        one_of("pending", "ignore"),
        "pending",
        "schemas, of several, in which nothing was ever migrated",
    )
    optional: tuple[str, ...] = setting(
        "verdict",
        LIST,
        (),
        "what need not precede traffic: analytics.*,shop.0042_*, or targets: replica:*",
    )
    accept: tuple[str, ...] = setting(
        "verdict", LIST, (), "hidden or lost migrations that are known to be harmless"
    )
    on_ahead: str = setting(
        "verdict", one_of("ready", "not_ready"), "ready", "when a newer release has migrated"
    )
    on_pruned: str = setting(
        "verdict",
        one_of("hold", "close", "accept"),
        "hold",
        "a squash whose originals a newer release pruned: what an open gate does;"
        " accept opens a closed one, too",
    )
    settle: float = setting("gate", DURATION, 0.0, "how long current must last before it opens")
    close_after_outage: float | None = setting(
        "gate", NEVER_OR_DURATION, None, "when an open gate that cannot read the database closes"
    )
    on_regression: str = setting(
        "gate", one_of("close", "hold"), "close", "an open gate whose schema is behind again"
    )
    interval: float = setting("gate", POSITIVE, 30.0, "pause between reads of an open gate")
    listen: tuple[str, ...] = setting(
        "serve", LIST, ("[::]:8089",), "addresses: [::]:8089, 127.0.0.1:0, unix:/run/sidecar.sock"
    )
    details: bool = setting("serve", SWITCH, True, "serve /status, / and ?verbose")
    details_listen: tuple[str, ...] = setting(
        "serve", LIST, (), "serve /metrics, /status and / at these addresses instead"
    )
    token_file: Path | None = setting(
        "serve", FILE, None, "file with the bearer token that details ask for; probes stay open"
    )
    tls_cert: Path | None = setting(
        "serve", FILE, None, "certificate chain (PEM) for details_listen; rotated without restart"
    )
    tls_key: Path | None = setting("serve", FILE, None, "its private key (PEM)")
    state_file: Path | None = setting(
        "serve", FILE, None, "file that remembers an open gate across restarts of the sidecar"
    )
    drain_delay: float = setting(
        "serve", DURATION, 5.0, "how long to answer 503 before the server closes on SIGTERM"
    )
    log_format: str = setting("log", one_of("text", "json"), "text", "how log lines are written")
    log_level: str = setting(
        "log",
        one_of("debug", "info", "warning", "error", any_case=True),
        "info",
        "the least that is logged",
    )
    lock_timeout: float = setting(
        "migrate", POSITIVE, 1800.0, "give up waiting for the migration lock after this long"
    )
    lock_timeout_per_statement: float | None = setting(
        "migrate", POSITIVE, None, "PostgreSQL's lock_timeout for the command's sessions"
    )
    statement_timeout: float | None = setting(
        "migrate", POSITIVE, None, "PostgreSQL's statement_timeout for the command's sessions"
    )
    pgoptions: bool = setting(
        "migrate", SWITCH, True, "pass PGOPTIONS to the command; off where a pooler refuses them"
    )
    retries: int = setting(
        "migrate", NUMBER, 3, "further attempts after lock timeouts, races and lost connections"
    )
    pushgateway: str | None = setting(
        "migrate", URL, None, "push the run's metrics to this Pushgateway"
    )
    pushgateway_job: str = setting(
        "migrate", TEXT, "django_migrate", "the job under which they are pushed"
    )
    timeout: float | None = setting("wait", POSITIVE, None, "give up after this long")
    unknown: tuple[str, ...] = ()
    """SIDECAR_* variables that are no settings, to be warned of."""


FIELDS: Final[dict[str, "Field[Any]"]] = {
    item.name: item for item in fields(Settings) if item.metadata
}


def default_text(item: "Field[Any]") -> str:
    """Return a setting's default as it would be written, empty if there is none."""
    value = item.default
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return ",".join(value)
    if value is None:
        kind: Kind = item.metadata["kind"]
        return kind.none
    return f"{value:g}s" if isinstance(value, float) else str(value)


def help_text(item: "Field[Any]") -> str:
    """Return a setting's help with its units and its default."""
    kind: Kind = item.metadata["kind"]
    default = f"default: {default_text(item)}" if default_text(item) else ""
    remarks = "; ".join(filter(None, (kind.hint, default)))
    return f"{item.metadata['help']} ({remarks})" if remarks else str(item.metadata["help"])


def check(settings: Settings) -> None:
    """Raise UsageError for settings that contradict each other."""
    for alias in settings.aliases:
        if not alias.url:
            raise UsageError(f"database {alias.name} has a password file and no URL; give it one")
    if (settings.tls_cert is None) != (settings.tls_key is None):
        raise UsageError("tls_cert and tls_key go together; set both")
    if settings.tls_cert is not None and not settings.details_listen:
        raise UsageError("tls_cert needs details_listen: probes are served without TLS")
