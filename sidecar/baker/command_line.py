"""Write the manifest of the migrations that a Django project expects.

    python baker --settings myproject.settings -o manifest.json

Needs the project's own Django (4.2 to 6.1) and Python 3.9 or newer, nothing else. Run it where
the app runs, in its final image; it opens no database connection and needs no secrets. The same
code gives the same bytes.

Refuses (exit code 66) what Django's loader refuses, an empty graph, and changes to the
project's own models that no migration holds. Every error is one line on stderr.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import threading
from typing import NoReturn

from .django_setup import find_project, forbid_connections, set_up_django
from .errors import EXIT_INTERRUPTED, EXIT_USAGE, Refusal
from .tracebacks import refuse_unexpected


class Parser(argparse.ArgumentParser):
    """A parser that exits with 64 on wrong usage, as every command of migration-sidecar does."""

    def error(self, message: str) -> NoReturn:
        """Print one line, and exit."""
        self.exit(EXIT_USAGE, f"bake: {message}; see --help\n")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that every way to bake has; `manage.py bake_migrations` adds the same."""
    parser.add_argument(
        "-o",
        "--output",
        default="manifest.json",
        metavar="FILE",
        help="where to write (- for stdout)",
    )
    parser.add_argument(
        "--release",
        metavar="TEXT",
        help="version or revision of the app, shown in /status and metrics",
    )
    parser.add_argument(
        "--optional",
        action="append",
        default=[],
        metavar="PATTERN",
        help="migrations that need not precede traffic, such as 'analytics.*' (repeatable)",
    )
    parser.add_argument(
        "--project-apps",
        metavar="LABELS",
        help="the project's own apps, comma-separated (default: those whose files lie under "
        "the working directory); unmigrated model changes in them are refused",
    )
    parser.add_argument(
        "--no-model-check",
        action="store_true",
        help="skip the check for model changes that no migration holds",
    )


def main(arguments: list[str] | None = None, program: str = "baker") -> int:
    """Bake according to the arguments (default: those of the process); return the exit code."""
    parser = Parser(
        prog=program,
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--settings",
        default=os.environ.get("DJANGO_SETTINGS_MODULE"),
        metavar="MODULE",
        help="the project's settings module (default: $DJANGO_SETTINGS_MODULE)",
    )
    add_arguments(parser)
    options = parser.parse_args(arguments)
    if not options.settings:
        parser.error("which settings? give --settings myproject.settings or DJANGO_SETTINGS_MODULE")
    code = 0
    try:
        with refuse_unexpected():
            find_project()
            with forbid_connections():
                set_up_django(options.settings)
                run(options)
    except Refusal as refusal:
        print(f"bake: {refusal}", file=sys.stderr)
        code = refusal.code
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    return finish(code)


def run(options: argparse.Namespace) -> None:
    """Bake and write the manifest; Django is set up already. Raises Refusal."""
    from .manifest import bake

    with contextlib.redirect_stdout(sys.stderr):  # projects print; stdout is the manifest's
        text = bake(options)
    data = text.encode()
    to_stdout = options.output == "-"
    try:
        with open(1 if to_stdout else options.output, "wb", closefd=not to_stdout) as file:
            file.write(data)
    except OSError as error:
        raise Refusal(f"cannot write {options.output}: {error.strerror}") from None
    if not to_stdout:
        count = text.count('\n{"migration"')
        print(f"bake: {count} migrations written to {options.output}", file=sys.stderr)


def finish(code: int) -> int:
    """Return the exit code; where an app has started threads that never end, exit at once."""
    if any(not t.daemon for t in threading.enumerate() if t is not threading.main_thread()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code
