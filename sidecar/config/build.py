"""What commands start from: the manifest, the databases and the policy that settings name."""

import os
import re
from functools import partial
from pathlib import Path
from typing import Final

from sidecar.config.settings import Alias, Settings
from sidecar.core.gate.database_status import RequiredSchemas
from sidecar.core.gate.snapshot import Identity
from sidecar.core.gate.state import Policy
from sidecar.core.gate.tracking import Judge
from sidecar.core.migrations.compare import Comparer, check
from sidecar.core.migrations.manifest import Manifest, decode
from sidecar.databases.base import UNQUERIED_SCHEMAS, Address, Database, connect
from sidecar.errors import DatabaseDenied, ManifestError, UsageError
from sidecar.regular_file import NotRegularFile, open_regular, read_regular

MAX_MANIFEST_BYTES: Final = 64 * 1024 * 1024
"""A manifest of 100,000 migrations is half of this."""

DEFAULT: Final = "default"

LIBPQ: Final = ("PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGSERVICE")


def load_manifest(path: Path) -> Manifest:
    """Return the manifest in this file.

    Raises ManifestError, and UsageError if it is no regular file; either names the file.
    """
    try:
        with open_regular(path) as file:
            data = file.read(MAX_MANIFEST_BYTES + 1)
        if len(data) > MAX_MANIFEST_BYTES:
            raise ManifestError("is larger than any manifest")
        manifest = decode(data)
        check(manifest)
    except FileNotFoundError:
        raise ManifestError(
            f"{path}: no manifest there; bake one (sidecar bake --help) or set SIDECAR_MANIFEST"
        ) from None
    except NotRegularFile as error:
        raise UsageError(f"manifest {path}: {error.strerror}") from None
    except OSError as error:
        raise ManifestError(f"{path}: {error.strerror}") from None
    except ManifestError as error:
        raise ManifestError(f"{path}: {error}") from None
    return manifest


def identity(manifest: Manifest) -> Identity:
    """Return which release a manifest stands for."""
    return Identity(manifest.release, manifest.digest, manifest.django)


def open_databases(settings: Settings, manifest: Manifest) -> dict[str, Database]:
    """Return every database of the settings by its alias; nothing is opened yet.

    Raises UsageError, also for an alias that the manifest does not know.
    """
    aliases = {_alias(found.name, manifest): found for found in settings.aliases}
    owners = {owner for owner, _, _ in (s.rpartition(":") for s in settings.schemas) if owner}
    if unknown := sorted(owners - {*aliases, DEFAULT}):
        raise UsageError(
            f"schemas names the database {unknown[0]}, which has no URL; set "
            f"SIDECAR_DATABASE_URL_{unknown[0].upper()}, or correct the name"
        )
    opened = {}
    if DEFAULT not in aliases and (_is_named(settings) or not aliases):
        opened[DEFAULT] = connect(address(settings))
    elif DEFAULT in {*manifest.databases} - {*aliases} and not _is_optional(settings, DEFAULT):
        raise UsageError(
            "the default database has no URL and would not be watched; set DATABASE_URL, or "
            "SIDECAR_OPTIONAL=default:* to do without it"
        )
    for name, found in aliases.items():
        opened[name] = connect(_address(settings, found, name))
    return opened


def _alias(name: str, manifest: Manifest) -> str:
    """Return an alias as Django has it: a variable has no hyphens, and is in capitals."""
    for alias in manifest.databases:
        if re.sub(r"\W", "_", alias).lower() == re.sub(r"\W", "_", name).lower():
            return alias
    known = ", ".join(manifest.databases)
    raise UsageError(f"the manifest has no database {name}; its DATABASES are {known}")


def address(settings: Settings) -> Address:
    """Return the address of the default database. Raises UsageError if the settings have none."""
    if not _is_named(settings):
        raise UsageError("no database is named; set DATABASE_URL (or SIDECAR_DATABASE_URL, or PG*)")
    found = Alias(
        name=DEFAULT,
        url=settings.database_url,
        url_file=settings.database_url_file,
        password_file=settings.password_file,
    )
    return _address(settings, found, DEFAULT)


def address_of(settings: Settings, manifest: Manifest, alias: str) -> Address:
    """Return the address of a database by its alias. Raises UsageError if it has none."""
    for found in settings.aliases:
        if _alias(found.name, manifest) == alias:
            return _address(settings, found, alias)
    if alias != DEFAULT:
        raise UsageError(f"no database {alias} is named; set SIDECAR_DATABASE_URL_{alias.upper()}")
    return address(settings)


def _is_named(settings: Settings) -> bool:
    return settings.database_url is not None or any(os.environ.get(name) for name in LIBPQ)


def _address(settings: Settings, found: Alias, alias: str) -> Address:
    schemas = _schemas(settings, alias)
    query = settings.schemas_query if alias == DEFAULT else None
    one = len(schemas) == 1 and schemas[0] != "all" and "*" not in schemas[0] and not query
    return Address(
        url=found.url,
        url_file=found.url_file,
        schema=schemas[0] if one else None,
        schemas=() if one else schemas,
        schemas_query=query,
        options=os.environ.get("PGOPTIONS"),
        password=partial(_password, found.password_file) if found.password_file else None,
        connect_timeout=settings.connect_timeout,
        read_timeout=settings.read_timeout,
    )


def _schemas(settings: Settings, alias: str) -> tuple[str, ...]:
    return tuple(schema for owner, schema in _owned(settings) if owner == alias)


def _owned(settings: Settings) -> list[tuple[str, str]]:
    """Return alias and schema; a schema without an alias belongs to the default database."""
    split = (schema.rpartition(":") for schema in settings.schemas)
    return [(owner or DEFAULT, schema) for owner, _, schema in split]


def _is_optional(settings: Settings, alias: str) -> bool:
    return required_schemas(settings).is_optional(alias, "")


def required_schemas(settings: Settings) -> RequiredSchemas:
    """Return which schemas the gate depends on."""
    patterns = tuple(pattern for pattern in settings.optional if ":" in pattern)
    named = {f"{alias}:{schema}" for alias, schema in _owned(settings)}
    named.add(f"{DEFAULT}:{UNQUERIED_SCHEMAS}")
    return RequiredSchemas(patterns, settings.empty_schemas == "pending", frozenset(named))


def _password(file: Path) -> str:
    try:
        return read_regular(file).decode().rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        raise DatabaseDenied(f"the password file {file} cannot be read") from None


def judge(settings: Settings, manifest: Manifest) -> Judge:
    """Return the function that makes a verdict of recorded keys."""
    optional = [pattern for pattern in settings.optional if ":" not in pattern]
    return Comparer(manifest, optional, settings.accept).compare


def policy(settings: Settings) -> Policy:
    """Return the gate's policy."""
    return Policy(
        on_ahead_ready=settings.on_ahead == "ready",
        close_after_outage=settings.close_after_outage,
        close_on_regression=settings.on_regression == "close",
        on_pruned=settings.on_pruned,
        settle=settings.settle,
    )
