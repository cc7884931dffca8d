"""Every error that a person may see, each with its exit code.

`ExitCode` is the only place with exit codes; they are a contract (README, "Exit codes").
`cli.main` maps an error to its code once; nothing else calls `sys.exit`.
"""

from collections.abc import Iterable
from enum import IntEnum


class ExitCode(IntEnum):
    """What an exit code means; a command that a signal ended adds `signal_exit_code`."""

    CURRENT = 0
    ERROR = 1
    BEHIND = 10
    AHEAD = 11
    INCONSISTENT = 12
    DATABASE = 20
    USAGE = 64
    MANIFEST = 65
    BAKE_REFUSED = 66
    """The baker stands alone, and has this number itself."""
    DIFF_FOUND = 70
    """`diff --fail-on` found what it names, or `diff --rollback` cannot go back."""
    TIMED_OUT = 124
    """As timeout(1) has it."""
    NOT_RUNNABLE = 126
    """The command after `--` exists but cannot be run, as in a POSIX shell."""
    NOT_FOUND = 127
    """The command after `--` does not exist, as in a POSIX shell."""
    INTERRUPTED = 130


def signal_exit_code(number: int) -> int:
    """Return the exit code of a process that this signal ended, as a POSIX shell has it."""
    return 128 + number


class SidecarError(Exception):
    """Something failed in a way that one line can explain; the text is that line."""

    exit_code: int = ExitCode.ERROR


class UsageError(SidecarError):
    """A flag, a variable or a settings file is not valid."""

    exit_code = ExitCode.USAGE


class ManifestError(SidecarError):
    """The manifest is missing, or is not one that can be trusted."""

    exit_code = ExitCode.MANIFEST


class WaitTimeout(SidecarError):
    """`wait` ran out of time."""

    exit_code = ExitCode.TIMED_OUT


class Interrupted(SidecarError):
    """A signal ended us."""

    def __init__(self, number: int) -> None:
        """Take the signal's number."""
        super().__init__("interrupted")
        self.exit_code = signal_exit_code(number)


class CommandNotRunnable(SidecarError):
    """The command after `--` exists but cannot be run."""

    exit_code = ExitCode.NOT_RUNNABLE


class CommandNotFound(SidecarError):
    """The command after `--` does not exist."""

    exit_code = ExitCode.NOT_FOUND


class DatabaseError(SidecarError):
    """The recorded migrations could not be read; `reason` is the gate's word for why."""

    exit_code = ExitCode.DATABASE
    reason = "database_unreachable"


class DatabaseUnreachable(DatabaseError):
    """No server answers there, or it takes no connections now."""


class DatabaseDenied(DatabaseError):
    """The server answers and refuses: password, role, database name or permission."""

    reason = "database_denied"


class DatabaseTimeout(DatabaseError):
    """The server accepted the query and did not answer it in time."""

    reason = "database_timeout"


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the known name that this one is most likely a misspelling of, if any is close.

    `cutoff` is from 0 (anything) to 1 (the same name), as difflib has it.
    """
    from difflib import get_close_matches  # noqa: PLC0415 - only for a mistake

    return next(iter(get_close_matches(name, list(known), 1, cutoff)), None)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the end of an error about an unknown name: the nearest that exists, or nothing."""
    close = nearest(name, known)
    return f"; did you mean {close}?" if close else ""


NOT_REPEATED = "(not repeated: it may be a secret)"


def describe_argument(word: str) -> str:
    """Return a word of the command line as an error may repeat it.

    A flag stands without its value, and a word that may be a URL, and so hold a password,
    not at all.
    """
    flag = word.partition("=")[0]
    return NOT_REPEATED if set(flag) & set("@:/") else repr(flag)


def describe_value(text: str) -> str:
    """Return a setting's value as an error may repeat it: not at all if it may be a URL."""
    return NOT_REPEATED if "@" in text or "://" in text else repr(text)
