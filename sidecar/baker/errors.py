"""Why no manifest was written, with the exit code of each; and warnings."""

from __future__ import annotations

import sys

EXIT_UNEXPECTED = 1
EXIT_USAGE = 64
EXIT_REFUSED = 66
EXIT_INTERRUPTED = 130


class Refusal(Exception):
    """Why no manifest was written, in one line."""

    code = EXIT_REFUSED

    def __str__(self) -> str:
        """Return the line, without the program's name."""
        return f"refused: {super().__str__()}"


class UsageError(Refusal):
    """The arguments contradict the project."""

    code = EXIT_USAGE
    __str__ = Exception.__str__


class UnexpectedError(Refusal):
    """An exception that no other refusal describes."""

    code = EXIT_UNEXPECTED
    __str__ = Exception.__str__


def warn(message: str) -> None:
    """Print a warning to stderr."""
    print(f"bake: warning: {message}", file=sys.stderr)
