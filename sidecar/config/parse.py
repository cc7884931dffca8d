"""Text to value, for settings; a ValueError says what the text is not."""

import re
from collections.abc import Callable
from typing import Final

UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def duration(text: str) -> float:
    """Return seconds: `250ms`, `30s`, `5m`, `1h`, or a number of seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h)?", text.strip())
    if match is None:
        raise ValueError("is no duration, such as 250ms, 30s, 5m or 1h")
    return float(match[1]) * UNITS[match[2] or "s"]


def positive(text: str) -> float:
    """Return a duration that is more than nothing."""
    seconds = duration(text)
    if not seconds:
        raise ValueError("must be longer than 0")
    return seconds


def switch(text: str) -> bool:
    """Return whether something is on."""
    known = {"on": True, "true": True, "yes": True, "1": True}
    known |= {"off": False, "false": False, "no": False, "0": False}
    if text.lower() not in known:
        raise ValueError("is neither on nor off")
    return known[text.lower()]


def count(text: str) -> int:
    """Return a whole number from 1."""
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise ValueError("is no whole number from 1")
    return int(text)


def whole(text: str) -> int:
    """Return a whole number from 0."""
    return 0 if text == "0" else count(text)


def listed(text: str) -> tuple[str, ...]:
    """Return the parts between commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def condition_type(text: str) -> str:
    """Return the type of a pod's condition: a qualified name, as Kubernetes has it."""
    name = r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
    label = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"
    if re.fullmatch(rf"({label}(\.{label})*/)?{name}", text) is None or text.find("/") > 253:
        raise ValueError("is no condition type, such as migration-sidecar/schema-current")
    return text


def one_of(*choices: str) -> Callable[[str], str]:
    """Return a parser that takes one of these words."""

    def choose(text: str) -> str:
        if text not in choices:
            raise ValueError(f"is none of {', '.join(choices)}")
        return text

    return choose
