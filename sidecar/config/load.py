"""Where settings come from: flags win over the environment, the environment over the file.

A name that does not exist is an error, with the nearest that does.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import Field
from pathlib import Path
from typing import Any, Final

from sidecar.config.settings import FIELDS, Alias, Settings, check
from sidecar.errors import UsageError

PREFIX: Final = "SIDECAR_"

# Kubernetes describes services to pods in variables; a service whose name begins with
# "sidecar" must not stop us from starting.
SERVICE_LINK: Final = re.compile(
    r"SIDECAR_(.*_)?(SERVICE_(HOST|PORT)(_.*)?|PORT_\d+_(TCP|UDP|SCTP).*)"
)

ALIAS_KEYS: Final = {"url": "database_url_", "password_file": "password_file_"}
"""What may be said of a further database, and how the variable's name begins."""


def load(flags: Mapping[str, str | None], environment: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings from flags, environment and file.

    Raises UsageError, which names the place and repeats no value of a URL.
    """
    given = {name: text for name, text in flags.items() if name in FIELDS and text is not None}
    from_flags = {name: (f"--{name.replace('_', '-')}", text) for name, text in given.items()}
    from_environment = _environment(environment)
    config = flags.get("config") or environment.get(PREFIX + "CONFIG")
    from_file = _file(Path(config)) if config else {}
    raw = {**from_file, **from_environment, **from_flags}
    known = {name: raw[name] for name in raw if name in FIELDS}
    values = {name: _parse(FIELDS[name], place, text) for name, (place, text) in known.items()}
    settings = Settings(**values, aliases=_aliases({**from_file, **from_environment}))
    check(settings)
    return settings


def _environment(environment: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    found = {}
    for variable, text in environment.items():
        name = variable.removeprefix(PREFIX).lower()
        if not variable.startswith(PREFIX) or variable == PREFIX + "CONFIG":
            continue
        if name in FIELDS or _alias(name):
            found[name] = (variable, text)
        elif not (SERVICE_LINK.fullmatch(variable) or ("://" in text and name.endswith("port"))):
            raise UsageError(f"unknown variable {variable}{_nearest(name, PREFIX, str.upper)}")
    if "database_url" not in found and environment.get("DATABASE_URL"):
        found["database_url"] = ("DATABASE_URL", environment["DATABASE_URL"])
    return found


def _file(path: Path) -> dict[str, tuple[str, str]]:
    import tomllib  # noqa: PLC0415 - only where there is a file

    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not TOML: {error}") from None
    found = _databases(path, document.pop("databases", {}))
    for name, value in document.items():
        if name not in FIELDS:
            raise UsageError(f"{path}: unknown key {name}{_nearest(name, '', str.lower)}")
        found[name] = (f"{path}: {name}", _text(value))
    return found


def _databases(path: Path, tables: object) -> dict[str, tuple[str, str]]:
    """Return what `[databases.<alias>]` says under the names that the variables have."""
    found = {}
    if not isinstance(tables, dict):
        raise UsageError(f"{path}: databases is no table; write [databases.replica] and url = ...")
    for alias, table in tables.items():
        place = f"{path}: databases.{alias}"
        if not isinstance(table, dict) or not table.keys() <= ALIAS_KEYS.keys():
            raise UsageError(f"{place}: takes {' and '.join(ALIAS_KEYS)}, and nothing else")
        for key, value in table.items():
            found[ALIAS_KEYS[key] + alias.lower()] = (place, str(value))
    return found


def _alias(name: str) -> str:
    """Return the alias in a name such as `database_url_replica`, if there is one."""
    for prefix in ALIAS_KEYS.values():
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return ""


def _aliases(raw: Mapping[str, tuple[str, str]]) -> tuple[Alias, ...]:
    names = dict.fromkeys(alias for name in raw if (alias := _alias(name)))
    url, file = ALIAS_KEYS["url"], ALIAS_KEYS["password_file"]
    return tuple(
        Alias(
            name=name,
            url=raw[url + name][1] if url + name in raw else None,
            password_file=Path(raw[file + name][1]) if file + name in raw else None,
        )
        for name in names
    )


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return ",".join(str(part) for part in value)
    return str(value)


def _nearest(name: str, prefix: str, case: Callable[[str], str]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - only for a mistake

    close = get_close_matches(name, FIELDS, 1)
    return f"; did you mean {prefix}{case(close[0])}?" if close else ""


def _parse(item: Field[Any], place: str, text: str) -> Any:  # noqa: ANN401 - as many types as settings
    try:
        return item.metadata["parse"](text)
    except ValueError as error:
        raise UsageError(f"{place}: {text!r} {error}") from None
