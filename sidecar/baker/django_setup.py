"""Start Django as manage.py would, without any database."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from .errors import Refusal, warn
from .tracebacks import describe_exception, describe_failed_app


def find_project() -> None:
    """Put the working directory first on the path, as manage.py would."""
    here = str(Path.cwd())
    sys.path[:] = [here, *(entry for entry in sys.path if entry not in (here, ""))]


@contextlib.contextmanager
def forbid_connections() -> Iterator[None]:
    """Make every attempt to open a database connection fail: baking runs where there is none.

    The error is an OperationalError, so that apps which tolerate an absent database in
    `AppConfig.ready()` go on tolerating it. Raises Refusal if Django cannot be imported.
    """
    try:
        from django.db.backends.base.base import BaseDatabaseWrapper
        from django.db.utils import OperationalError
    except ImportError as error:
        raise Refusal(
            f"Django cannot be imported here ({error}); bake in the app's own environment"
        ) from None

    def refuse_to_connect(self: BaseDatabaseWrapper) -> NoReturn:
        raise OperationalError(f"baking opens no database connection ({self.alias})")

    # Some backends override the first, and the second asks them for it.
    originals = {name: vars(BaseDatabaseWrapper)[name] for name in ("connect", "ensure_connection")}
    for method in originals:
        setattr(BaseDatabaseWrapper, method, refuse_to_connect)
    try:
        yield
    finally:
        for method, original in originals.items():
            setattr(BaseDatabaseWrapper, method, original)


def set_up_django(settings_module: str) -> None:
    """Import the settings and all apps. Raises Refusal if one of them fails."""
    import django
    from django.conf import settings

    os.environ["DJANGO_SETTINGS_MODULE"] = settings_module
    with contextlib.redirect_stdout(sys.stderr):
        try:
            settings.INSTALLED_APPS  # noqa: B018 - reading one setting imports the module
        except (Exception, SystemExit) as error:
            raise Refusal(
                f"the settings {settings_module} cannot be imported: {describe_exception(error)}"
                f"{advise(error, settings_module)}"
            ) from error
        try:
            django.setup()
        except (Exception, SystemExit) as error:
            raise Refusal(
                f"Django does not start: {describe_failed_app(error)}{describe_exception(error)}"
            ) from error
    if not (4, 2) <= django.VERSION < (6, 2):
        warn(f"this was tested with Django 4.2 to 6.1, not with {django.get_version()}")


def advise(error: BaseException, settings_module: str) -> str:
    """Return what to do about settings that cannot be imported; empty if that is plain."""
    if isinstance(error, ImportError):
        asked = settings_module == error.name or settings_module.startswith(f"{error.name}.")
        return "; bake in the project's folder, or set PYTHONPATH" if asked else ""
    if isinstance(error, SyntaxError):
        return ""
    return "; if they demand a variable, any value will do for baking"
