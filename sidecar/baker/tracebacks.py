"""Describe in one line what a project's code raised, and where."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import sysconfig
import traceback
from collections.abc import Iterator
from pathlib import Path

from .errors import Refusal, UnexpectedError


@contextlib.contextmanager
def refuse_unexpected() -> Iterator[None]:
    """Raise UnexpectedError for any exception but a Refusal: no traceback is printed."""
    try:
        yield
    except Refusal:
        raise
    except (Exception, SystemExit) as error:
        raise UnexpectedError(f"unexpected {describe_exception(error)}") from error


def describe_exception(error: BaseException) -> str:
    """Return an exception's class, its text without passwords, and where it was raised."""
    text = str(error.msg) if isinstance(error, SyntaxError) else str(error)
    text = re.sub(r"(://[^\s/@]*?:)\S+@", r"\1***@", " ".join(text.split()))
    return f"{type(error).__name__}: {text}{describe_place(error)}"


def describe_place(error: BaseException) -> str:
    """Return where in the project, or else in which package, an exception was raised.

    Empty if it was raised in Django, in the standard library or here.
    """
    places = [(f.f_code.co_filename, line) for f, line in traceback.walk_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        places.append((error.filename, error.lineno or 1))
    django = getattr(sys.modules.get("django"), "__file__", None) or __file__
    unhelpful = ("<", str(Path(__file__).parent) + os.sep, str(Path(django).parent) + os.sep)
    stdlib = sysconfig.get_path("stdlib")
    places = [
        (file, line)
        for file, line in places
        if not file.startswith(unhelpful) and (is_installed(file) or not file.startswith(stdlib))
    ]
    if not places:
        return ""
    file, line = ([place for place in places if not is_installed(place[0])] or places)[-1]
    with contextlib.suppress(OSError):  # the working directory may be gone
        file = file.removeprefix(str(Path.cwd()) + os.sep)
    return f" (at {file}:{line})"


def is_installed(path: str | Path) -> bool:
    """Return whether a file belongs to an installed package, and not to the project."""
    return not {"site-packages", "dist-packages"}.isdisjoint(Path(path).parts)


def describe_failed_app(error: BaseException) -> str:
    """Name the app whose `AppConfig.ready()` raised; empty if none did."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        label = getattr(frame.f_locals.get("self"), "label", None)
        if frame.f_code.co_name == "ready" and label:
            return f"the app {label!r} failed in AppConfig.ready(): "
    return ""


def describe_failed_import(error: BaseException) -> str:
    """Name what Django's `MigrationLoader.load_disk` was importing, as its frame still knows."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        known = frame.f_locals
        if frame.f_code.co_name == "load_disk" and "app_config" in known:
            label, package = known["app_config"].label, known.get("module_name")
            if known.get("migration_path", "").startswith(f"{package}."):
                return f"the migration {label}.{known['migration_name']}"
            return f"the migrations of {label} ({package})"
    return "the migrations"
