"""Settings that cannot be imported where images are built, or are the wrong ones."""

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from integration.bake.projects import BAKER, Project
from support.process import PATIENCE
from support.project import environment, sidecar

ANY_VALUE = "; if they demand a variable, any value will do for baking"


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (
            "import os\nHOST = os.environ['SITE_DOMAIN']",
            "KeyError: 'SITE_DOMAIN' (at site_settings.py:8)" + ANY_VALUE,
        ),
        (
            (
                "from django.core.exceptions import ImproperlyConfigured\n"
                "raise ImproperlyConfigured('Set the REDIS_URL environment variable')"
            ),
            "ImproperlyConfigured: Set the REDIS_URL environment variable (at site_settings.py:8)"
            + ANY_VALUE,
        ),
        (
            "import sys\nsys.exit('no SECRET_KEY')",
            "SystemExit: no SECRET_KEY (at site_settings.py:8)" + ANY_VALUE,
        ),
        (
            "import sentry_sdk_",
            "ModuleNotFoundError: No module named 'sentry_sdk_' (at site_settings.py:7)",
        ),
        ("LANGUAGES = (", "SyntaxError: '(' was never closed (at site_settings.py:7)"),
        (
            "raise ValueError('bad URL postgres://robin:sword:fish@db/shop\\n or so')",
            "ValueError: bad URL postgres://robin:***@db/shop or so (at site_settings.py:7)"
            + ANY_VALUE,
        ),
    ],
    ids=["KeyError", "ImproperlyConfigured", "SystemExit", "import", "syntax", "secret"],
)
def test_settings_that_do_not_import(project: Project, more: str, why: str) -> None:
    """One line has what they raised, where, and what to do; no password is in it."""
    project.shop(more=more)
    refusal = f"refused: the settings site_settings cannot be imported: {why}"
    assert project.bake().line() == refusal


@pytest.mark.parametrize(
    ("module", "why"),
    [
        ("shop.settings", "No module named 'shop.settings'"),
        ("no.such.settings", "No module named 'no'"),
        (
            "site_settings.py",
            "No module named 'site_settings.py'; 'site_settings' is not a package",
        ),
    ],
)
def test_settings_that_do_not_exist(project: Project, module: str, why: str) -> None:
    """The module that is not there is named, with where to bake instead."""
    project.shop()
    assert project.bake(settings=module).line() == (
        f"refused: the settings {module} cannot be imported: ModuleNotFoundError: {why}; "
        "bake in the project's folder, or set PYTHONPATH"
    )


def test_wrong_settings_that_import(project: Project) -> None:
    """Settings that yield no migrations are not a success with nothing in it."""
    project.shop()
    project.write("local.py", "DEBUG = True\n")
    assert project.bake(settings="local").line() == (
        "refused: the settings local yield no migrations at all (0 installed apps); "
        "are they the right settings?"
    )


def test_an_app_that_is_not_installed(project: Project) -> None:
    """What keeps Django from starting is one line, app registry and all."""
    project.settings("shop", "blog")
    project.app("shop")
    assert project.bake().line() == (
        "refused: Django does not start: ModuleNotFoundError: No module named 'blog'"
    )


def test_logging_that_cannot_be_configured(project: Project) -> None:
    """A log file in a folder that the image does not have stops the start, in one line."""
    handler = "{'f': {'class': 'logging.FileHandler', 'filename': '/no/such/folder/log'}}"
    logging = f"{{'version': 1, 'handlers': {handler}, 'root': {{'handlers': ['f']}}}}"
    project.shop(more=f"LOGGING = {logging}")
    line = project.bake().line()
    assert line.startswith(
        "refused: Django does not start: ValueError: Unable to configure handler 'f'"
    )


def test_two_settings_give_two_manifests(project: Project) -> None:
    """A feature switched on by another settings module gives another digest."""
    project.shop()
    project.write(
        "with_auth.py",
        "from site_settings import *\n"
        "INSTALLED_APPS = ['django.contrib.contenttypes', 'django.contrib.auth', *INSTALLED_APPS]",
    )
    small, large = project.bake(), project.bake(settings="with_auth")
    assert list(small.rows) == ["shop.0001_initial"]
    assert large.document["graph"]["apps"] == ["contenttypes", "auth", "shop"]
    for what in ("digest", "settings", "installed_apps"):
        assert small.document[what] != large.document[what]


def test_django_must_be_there(project: Project) -> None:
    """An interpreter without Django is the wrong place, and the line has that."""
    baked = project.bake(command=(sys.executable, "-S", BAKER))
    assert baked.line() == (
        "refused: Django cannot be imported here (No module named 'django'); "
        "bake in the app's own environment"
    )


def test_interrupted(project: Project) -> None:
    """Ctrl-C ends it with 130, without a traceback and without a manifest."""
    reader, writer = os.pipe()
    project.shop(more=f"import os, time\nos.write({writer}, b'!')\ntime.sleep(60)")
    output = project.folder / "manifest.json"
    baking = subprocess.Popen(
        [sidecar(), "bake", "--settings", "site_settings", "-o", str(output)],
        env=environment(), cwd=project.folder, pass_fds=[writer], stderr=subprocess.PIPE,
    )  # fmt: skip
    os.close(writer)
    os.read(reader, 1)
    baking.send_signal(signal.SIGINT)
    _, stderr = baking.communicate(timeout=30 * PATIENCE)
    os.close(reader)
    assert (baking.returncode, stderr) == (130, b"")
    assert not output.exists()


def test_a_working_directory_that_is_gone(project: Project) -> None:
    """Even what nobody expects is one line, with exit code 1."""
    folder, bake = shlex.quote(str(project.folder)), shlex.join([sys.executable, str(BAKER)])
    command = f"cd {folder} && rmdir {folder} && exec {bake}"
    ended = subprocess.run(
        ["sh", "-c", f"{command} --settings any"],
        check=False, cwd=Path("/"), env=environment(), capture_output=True, text=True,
    )  # fmt: skip
    assert ended.returncode == 1
    assert ended.stderr.startswith("bake: unexpected FileNotFoundError: ")
    assert ended.stderr.count("\n") == 1
