"""What commands start from: the manifest, the database and the policy that settings name."""

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from sidecar.core import graph
from sidecar.core.manifest import Key, Manifest, decode
from sidecar.core.snapshot import Identity
from sidecar.core.states import Policy
from sidecar.databases import Address, Database, connect
from sidecar.errors import DatabaseDenied, ManifestError, UsageError
from sidecar.settings import Settings

LARGEST: Final = 64 * 1024 * 1024
"""A manifest of 100,000 migrations is half of this."""

LIBPQ: Final = ("PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGSERVICE")


def load_manifest(path: Path) -> Manifest:
    """Return the manifest in this file. Raises ManifestError, which names the file."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise ManifestError("is larger than any manifest")
        manifest = decode(data)
        graph.check(manifest)
    except FileNotFoundError:
        raise ManifestError(
            f"{path}: no manifest there; bake one (sidecar bake --help) or set SIDECAR_MANIFEST"
        ) from None
    except OSError as error:
        raise ManifestError(f"{path}: {error.strerror}") from None
    except ManifestError as error:
        raise ManifestError(f"{path}: {error}") from None
    return manifest


def identity(manifest: Manifest) -> Identity:
    """Return which release a manifest stands for."""
    return Identity(manifest.release, manifest.digest, manifest.django)


def open_database(settings: Settings) -> Database:
    """Return the database of the settings; nothing is opened yet. Raises UsageError."""
    return connect(address(settings))


def address(settings: Settings) -> Address:
    """Return where the settings say that the rows are. Raises UsageError."""
    if settings.database_url is None and not any(os.environ.get(name) for name in LIBPQ):
        raise UsageError("no database is named; set DATABASE_URL (or SIDECAR_DATABASE_URL, or PG*)")
    file = settings.password_file
    return Address(
        url=settings.database_url,
        schema=settings.schemas[0] if settings.schemas else None,
        options=os.environ.get("PGOPTIONS"),
        password=partial(_password, file) if file else None,
        connect_timeout=settings.connect_timeout,
        read_timeout=settings.read_timeout,
    )


def _password(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        raise DatabaseDenied(f"the password file {file} cannot be read") from None


def judge(settings: Settings, manifest: Manifest) -> Callable[[Sequence[Key]], graph.Verdict]:
    """Return what turns recorded keys into a verdict."""
    return partial(
        graph.compare,
        manifest,
        optional=settings.optional,
        accept_hidden=settings.accept_hidden,
    )


def policy(settings: Settings) -> Policy:
    """Return the gate's policy."""
    return Policy(
        on_ahead_ready=settings.on_ahead == "ready",
        close_on_outage_after=settings.hold_for if settings.on_outage == "close" else None,
        close_on_regression=settings.on_regression == "close",
        regression_confirmations=settings.regression_confirmations,
        close_on_pruned=settings.on_pruned == "close",
        accept_pruned=settings.accept_pruned,
        settle=settings.settle,
    )
