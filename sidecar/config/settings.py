"""Every setting, once: flag, `SIDECAR_*` variable and TOML key of the same name."""

from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Final, TypeVar

from sidecar.config.parse import (
    condition_type,
    count,
    duration,
    listed,
    one_of,
    positive,
    switch,
    whole,
)
from sidecar.errors import UsageError

T = TypeVar("T")


def setting(
    group: str,
    parse: Callable[[str], T],
    default: Any,  # noqa: ANN401
    text: str,
    *,
    secret: bool = False,
) -> Any:  # noqa: ANN401
    """Declare a setting: which commands have it as a flag, how it reads, and what it is for."""
    return field(
        default=default, repr=not secret, metadata={"group": group, "parse": parse, "help": text}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """A further database: its name in Django's DATABASES, and where it is."""

    name: str
    url: str | None = field(default=None, repr=False)
    password_file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the operator decided; durations in seconds."""

    manifest: Path = setting("manifest", Path, Path("manifest.json"), "the baked manifest")
    database_url: str | None = setting(
        "database",
        str,
        None,
        "where the rows are (default: DATABASE_URL, then libpq's PG*)",
        secret=True,
    )
    password_file: Path | None = setting(
        "database", Path, None, "file with the password, read anew at every connect"
    )
    schemas: tuple[str, ...] = setting(
        "database",
        listed,
        (),
        "schemas to watch: names, tenant_*, all, ALIAS:tenant_* (default: as Django finds it)",
    )
    schemas_query: str | None = setting(
        "database", str, None, "SQL that returns further schemas to watch, such as the tenants'"
    )
    empty_schemas: str = setting(
        "verdict",
        one_of("pending", "ignore"),
        "pending",
        "schemas, of several, in which nothing was ever migrated",
    )
    aliases: tuple[Alias, ...] = ()
    """From SIDECAR_DATABASE_URL_<ALIAS>, or the file's `[databases.<alias>]`."""
    connect_timeout: float = setting("database", positive, 3.0, "limit for connecting")
    read_timeout: float = setting("database", positive, 5.0, "limit for one look")
    optional: tuple[str, ...] = setting(
        "verdict",
        listed,
        (),
        "what need not precede traffic: analytics.*,shop.0042_*, or targets: replica:*",
    )
    accept_hidden: tuple[str, ...] = setting(
        "verdict", listed, (), "hidden migrations that are known to be harmless"
    )
    accept_pruned: bool = setting(
        "verdict", switch, False, "open on a squash whose originals a newer release pruned"
    )
    on_ahead: str = setting(
        "verdict", one_of("ready", "not_ready"), "ready", "when a newer release has migrated"
    )
    settle: float = setting("gate", duration, 0.0, "how long current must last before it opens")
    on_outage: str = setting(
        "gate", one_of("hold", "close"), "hold", "an open gate that cannot read the database"
    )
    hold_for: float | None = setting(
        "gate", duration, None, "how long on_outage=close holds before it closes"
    )
    on_regression: str = setting(
        "gate", one_of("close", "hold"), "close", "an open gate whose schema is behind again"
    )
    regression_confirmations: int = setting(
        "gate", count, 2, "looks in a row before a regression is believed"
    )
    on_pruned: str = setting(
        "gate", one_of("hold", "close"), "hold", "an open gate that sees a pruned squash"
    )
    interval: float = setting("gate", positive, 30.0, "pause between looks of an open gate")
    listen: tuple[str, ...] = setting(
        "serve", listed, ("[::]:8089",), "addresses: [::]:8089, 127.0.0.1:0, unix:/run/sidecar.sock"
    )
    details: bool = setting("serve", switch, True, "serve /status, / and ?verbose")
    details_listen: tuple[str, ...] = setting(
        "serve", listed, (), "serve /metrics, /status and / here, and not beside the probes"
    )
    token_file: Path | None = setting(
        "serve", Path, None, "file with the bearer token that details ask for; probes stay open"
    )
    tls_cert: Path | None = setting(
        "serve", Path, None, "certificate chain (PEM) for details_listen; rotated without restart"
    )
    tls_key: Path | None = setting("serve", Path, None, "its private key (PEM)")
    client_timeout: float = setting(
        "serve", positive, 10.0, "how long one connection of a client may last"
    )
    client_limit: int = setting(
        "serve", count, 512, "open connections; the oldest goes when there are more"
    )
    client_line_limit: int = setting(
        "serve", count, 4096, "longest request line and longest header, in bytes; no body is read"
    )
    client_header_limit: int = setting("serve", count, 64, "most headers of one request")
    state_file: Path | None = setting(
        "serve", Path, None, "file that remembers an open gate across restarts of the sidecar"
    )
    pod_condition: str | None = setting(
        "serve", condition_type, None, "condition of the own pod to keep (for readinessGates)"
    )
    pod_account: Path = setting(
        "serve",
        Path,
        Path("/var/run/secrets/kubernetes.io/serviceaccount"),
        "folder with the token and the CA that pod_condition needs",
    )
    drain_delay: float = setting(
        "serve", duration, 5.0, "how long to answer 503 before the server closes on SIGTERM"
    )
    log_format: str = setting("log", one_of("text", "json"), "text", "how log lines look")
    log_level: str = setting(
        "log", one_of("debug", "info", "warning", "error"), "info", "the least that is logged"
    )
    database: str = setting(
        "migrate", str, "default", "the alias of DATABASES whose migrations are applied"
    )
    lock_timeout: float | None = setting(
        "migrate", positive, None, "give up waiting for the turn after this long (exit 124)"
    )
    lock_timeout_per_statement: float | None = setting(
        "migrate", positive, None, "PostgreSQL's lock_timeout for the command's sessions"
    )
    statement_timeout: float | None = setting(
        "migrate", positive, None, "PostgreSQL's statement_timeout for the command's sessions"
    )
    pgoptions: bool = setting(
        "migrate", switch, True, "pass PGOPTIONS to the command; off where a pooler refuses them"
    )
    retries: int = setting(
        "migrate",
        whole,
        3,
        "further attempts after lock timeouts, races and lost connections",
    )
    pushgateway: str | None = setting(
        "migrate", str, None, "push the run's metrics to this Pushgateway", secret=True
    )
    pushgateway_job: str = setting(
        "migrate", str, "django_migrate", "the job under which they are pushed"
    )
    timeout: float | None = setting("wait", positive, None, "give up after this long (exit 124)")


FIELDS: Final[dict[str, "Field[Any]"]] = {
    item.name: item for item in fields(Settings) if item.metadata
}


def add_flags(parser: ArgumentParser, groups: Sequence[str]) -> None:
    """Add the flags of these groups, and `--config`."""
    for name, item in FIELDS.items():
        if item.metadata["group"] in groups:
            parser.add_argument(
                "--" + name.replace("_", "-"),
                metavar="X",
                dest=name,
                help=item.metadata["help"]
                + (f" (default: {default})" if (default := shown(item)) else ""),
            )
    parser.add_argument("--config", metavar="FILE", help="TOML file with any of the settings")


def shown(item: "Field[Any]") -> str:
    """Return a default as it would be written."""
    value = None if item.default is MISSING else item.default
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return ",".join(value)
    return f"{value:g}s" if isinstance(value, float) else str(value or "")


def check(settings: Settings) -> None:
    """Raise UsageError for settings that contradict each other."""
    if settings.aliases and not all(alias.url for alias in settings.aliases):
        (first, *_) = [alias.name for alias in settings.aliases if not alias.url]
        raise UsageError(f"database {first} has a password file and no URL; give it one")
    if (settings.tls_cert is None) != (settings.tls_key is None):
        raise UsageError("tls_cert and tls_key go together; set both")
    if settings.tls_cert is not None and not settings.details_listen:
        raise UsageError("tls_cert needs details_listen: probes are served without TLS")
    if settings.on_outage == "close" and settings.hold_for is None:
        raise UsageError("on_outage=close needs hold_for, such as 60s (0s closes at once)")
    if settings.on_outage == "hold" and settings.hold_for is not None:
        raise UsageError("hold_for has no effect unless on_outage=close")
