"""How the value of a setting is written: the parser of its text, and what help shows for it.

A parser raises ValueError with the end of a sentence that begins with the text.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sidecar.regular_file import NotRegularFile, check_regular

UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One way in which values are written."""

    parse: Callable[[str], Any]
    metavar: str
    """What stands after the flag in help: allowed values in brackets, or a word in capitals."""
    hint: str = ""
    """What help adds, such as the units."""
    choices: tuple[str, ...] = ()
    none: str = ""
    """How no value is written, where it can be."""
    secret: bool = False
    """Whether it may hold a password."""
    from_file: bool = False
    """Whether SIDECAR_<NAME>_FILE may name a file that holds it."""


def duration(text: str) -> float:
    """Return seconds: `250ms`, `30s`, `5m` or `1h`; 0 needs no unit."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h)?", text.strip(), re.ASCII)
    if match is None:
        raise ValueError("is no duration, such as 250ms, 30s, 5m or 1h")
    number = float(match[1])
    if match[2] is None and number:
        raise ValueError(f"needs a unit: {match[1]}ms, {match[1]}s or {match[1]}m")
    return number * UNITS[match[2] or "s"]


def positive(text: str) -> float:
    """Return a duration that is more than nothing."""
    seconds = duration(text)
    if not seconds:
        raise ValueError("must be longer than 0")
    return seconds


def never_or_duration(text: str) -> float | None:
    """Return a duration, or None for `never`."""
    if text.lower() == "never":
        return None
    try:
        return duration(text)
    except ValueError as error:
        raise ValueError(f"{error}, or never") from None


def switch(text: str) -> bool:
    """Return whether something is on."""
    known = {"on": True, "true": True, "yes": True, "1": True}
    known |= {"off": False, "false": False, "no": False, "0": False}
    if text.lower() not in known:
        raise ValueError("is neither on nor off")
    return known[text.lower()]


def whole(text: str) -> int:
    """Return a whole number from 0."""
    if not (text.isascii() and text.isdigit()):
        raise ValueError("is no whole number from 0")
    return int(text)


def listed(text: str) -> tuple[str, ...]:
    """Return the parts between commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def file(text: str) -> Path:
    """Return a path; what is there must be a regular file, but need not be there yet."""
    path = Path(text)
    try:
        check_regular(path)
    except NotRegularFile as error:
        raise ValueError(error.strerror) from None
    except (OSError, ValueError):
        pass  # Whoever opens it reports why it cannot.
    return path


def one_of(*choices: str, any_case: bool = False) -> Kind:
    """Return the kind of a setting that takes one of these words."""

    def choose(text: str) -> str:
        word = text.lower() if any_case else text
        if word not in choices:
            raise ValueError(f"is none of {', '.join(choices)}")
        return word

    return Kind(parse=choose, metavar=f"[{'|'.join(choices)}]", choices=choices)


DURATION: Final = Kind(parse=duration, metavar="DURATION", hint="such as 30s")
POSITIVE: Final = Kind(parse=positive, metavar="DURATION", hint="such as 30s")
NEVER_OR_DURATION: Final = Kind(
    parse=never_or_duration, metavar="[never|DURATION]", hint="such as 60s", none="never"
)
SWITCH: Final = Kind(parse=switch, metavar="[on|off]", choices=("on", "off"))
NUMBER: Final = Kind(parse=whole, metavar="NUMBER", hint="from 0")
FILE: Final = Kind(parse=file, metavar="FILE")
TEXT: Final = Kind(parse=str, metavar="TEXT", from_file=True)
SQL: Final = Kind(parse=str, metavar="SQL", from_file=True)
LIST: Final = Kind(parse=listed, metavar="LIST", hint="separated by commas", from_file=True)
URL: Final = Kind(parse=str, metavar="URL", secret=True, from_file=True)
