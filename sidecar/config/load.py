"""Where settings come from: flags win over the environment, the environment over the file.

A flag or key that does not exist is an error, with the nearest that does. So is a variable
that is close to a setting's name; any other SIDECAR_* may be somebody else's.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import Field
from pathlib import Path
from typing import Any, Final

from sidecar.config.settings import FIELDS, Alias, Settings, check
from sidecar.errors import UsageError, describe_value, did_you_mean, nearest
from sidecar.regular_file import read_regular

PREFIX: Final = "SIDECAR_"
CONFIG: Final = PREFIX + "CONFIG"
FROM_FILE: Final = "_FILE"
MISSPELT: Final = 0.85
"""How alike an unknown variable and a setting must be (difflib's ratio) to be taken for it."""

# Kubernetes describes services to pods in variables; a service whose name begins with
# "sidecar" must not stop us from starting.
SERVICE_LINK: Final = re.compile(
    r"SIDECAR_(.*_)?(SERVICE_(HOST|PORT)(_.*)?|PORT_\d+_(TCP|UDP|SCTP).*)"
)

ALIAS_KEYS: Final = {"url": "database_url_", "password_file": "password_file_"}
"""The keys of a further database in the settings file, and how the variable's name begins."""

Given = dict[str, tuple[str, str]]
"""By name: where a setting was found, and its text."""


def load(flags: Mapping[str, str | None], environment: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings from flags, environment and file.

    Raises UsageError, which names the place and repeats no value that may be a secret.
    """
    given = {name: text for name, text in flags.items() if name in FIELDS and text is not None}
    from_flags = {name: (f"--{name.replace('_', '-')}", text) for name, text in given.items()}
    from_environment = _from_environment(environment)
    config = flags.get("config") or environment.get(CONFIG)
    from_file = _from_file(Path(config)) if config else {}
    raw = {**from_file, **from_environment, **from_flags}
    known = {name: raw[name] for name in raw if name in FIELDS}
    values = {name: _parse(FIELDS[name], place, text) for name, (place, text) in known.items()}
    settings = Settings(
        **values,
        database_url_file=_url_file(raw.get("database_url"), environment),
        aliases=_aliases(raw, environment),
        unknown=_unknown(environment),
    )
    check(settings)
    return settings


def _from_environment(environment: Mapping[str, str]) -> Given:
    """Return what SIDECAR_* variables set; an empty variable counts as not set."""
    found: Given = {}
    if url := environment.get("DATABASE_URL"):
        found["database_url"] = ("DATABASE_URL", url)
    for variable, text in environment.items():
        name = variable.removeprefix(PREFIX).lower()
        if not variable.startswith(PREFIX) or not text:
            continue
        if base := _base_of_file(name):
            other = variable.removesuffix(FROM_FILE)
            if environment.get(other):
                raise UsageError(f"{other} and {variable} are both set; set one of them")
            found[base] = (variable, _contents(variable, Path(text)))
        elif name in FIELDS or _alias(name):
            found[name] = (variable, text)
    return found


def _is_setting(name: str) -> bool:
    return name in FIELDS or bool(_alias(name)) or _base_of_file(name) is not None


def _base_of_file(name: str) -> str | None:
    """Return the setting that a variable such as `database_url_file` reads from a file."""
    base = name.removesuffix(FROM_FILE.lower())
    if base == name or name in FIELDS:
        return None
    if base in FIELDS:
        return base if FIELDS[base].metadata["kind"].from_file else None
    return base if base.startswith(ALIAS_KEYS["url"]) and _alias(base) else None


def _contents(variable: str, file: Path) -> str:
    try:
        text = read_regular(file).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is no text"
        raise UsageError(f"{variable}: {file}: {reason}") from None
    if not text:
        raise UsageError(f"{variable}: {file} is empty")
    return text


def _unknown(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the SIDECAR_* variables that are no settings, for a warning.

    Raises UsageError for one that is close to a setting's name.
    """
    found = []
    for variable, text in environment.items():
        name = variable.removeprefix(PREFIX).lower()
        if not variable.startswith(PREFIX) or variable == CONFIG or not text or _is_setting(name):
            continue
        if SERVICE_LINK.fullmatch(variable) or ("://" in text and name.endswith("port")):
            continue
        # A setting that is itself a file's name takes no _FILE.
        for spelling in (name, name.removesuffix(FROM_FILE.lower())):
            if close := nearest(spelling, FIELDS, MISSPELT):
                hint = f"did you mean {PREFIX}{close.upper()}?"
                raise UsageError(f"unknown variable {variable}; {hint}")
        found.append(variable)
    return tuple(sorted(found))


def _from_file(path: Path) -> Given:
    import tomllib  # noqa: PLC0415 - only where there is a file

    try:
        document = tomllib.loads(read_regular(path).decode())
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not TOML: {error}") from None
    found = _databases(path, document.pop("databases", {}))
    for name, value in document.items():
        if name not in FIELDS:
            raise UsageError(f"{path}: unknown key {name}{did_you_mean(name, FIELDS)}")
        found[name] = (f"{path}: {name}", _text(value))
    return found


def _databases(path: Path, tables: object) -> Given:
    """Return the keys of `[databases.<alias>]` under the names that the variables have."""
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


def _aliases(raw: Given, environment: Mapping[str, str]) -> tuple[Alias, ...]:
    names = dict.fromkeys(alias for name in raw if (alias := _alias(name)))
    url, file = ALIAS_KEYS["url"], ALIAS_KEYS["password_file"]
    return tuple(
        Alias(
            name=name,
            url=raw[url + name][1] if url + name in raw else None,
            url_file=_url_file(raw.get(url + name), environment),
            password_file=(
                _parse(FIELDS["password_file"], *raw[file + name]) if file + name in raw else None
            ),
        )
        for name in names
    )


def _url_file(given: tuple[str, str] | None, environment: Mapping[str, str]) -> Path | None:
    """Return the file that a URL was read from, if it was."""
    place = given[0] if given else ""
    return Path(environment[place]) if place.endswith(FROM_FILE) else None


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return ",".join(str(part) for part in value)
    return str(value)


def _parse(item: Field[Any], place: str, text: str) -> Any:  # noqa: ANN401 - as many types as settings
    try:
        return item.metadata["kind"].parse(text)
    except ValueError as error:
        raise UsageError(f"{place}: {describe_value(text)} {error}") from None
