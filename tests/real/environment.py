"""Where a project runs: a virtual environment of its own, made once for its requirements."""

import os
import subprocess
import sys
from pathlib import Path

from real.projects import Project
from support import venv
from support.postgres import PASSWORD, Server
from support.project import REPOSITORY, environment

FOLDER = REPOSITORY / ".real"
REQUIREMENTS = REPOSITORY / "requirements" / "real"


class NotInstalled(Exception):
    """Why a project cannot run on this machine, in one line."""


class Failed(Exception):
    """What went wrong on a project's way: it could not be baked, migrated or asked."""


def install(project: Project) -> Path:
    """Return the Python of the project's environment, made anew if its requirements changed."""
    interpreter = venv.find_interpreter(project.python)
    if interpreter is None:
        raise NotInstalled(f"there is no Python {project.python} on this machine")
    requirements = REQUIREMENTS / f"{project.name}.txt"
    try:
        return venv.make(FOLDER / project.name / "venv", requirements, interpreter)
    except RuntimeError as error:
        raise NotInstalled(str(error)) from error


def lock(project: Project) -> None:
    """Pin the project's requirements anew, with hashes."""
    interpreter = venv.find_interpreter(project.python) or project.python
    wanted = REQUIREMENTS / f"{project.name}.in"
    _call(
        *(str(Path(sys.executable).with_name("uv")), *venv.COMPILE, str(wanted)),
        *("--python", str(interpreter), "--python-version", project.python),
        *("-o", str(wanted.with_suffix(".txt"))),
    )


def variables(project: Project, folder: Path, server: Server, database: str) -> dict[str, str]:
    """Return all that the project's processes find in their environment."""
    return {
        **variables_without_database(project, folder),
        "REAL_HOST": "127.0.0.1",
        "REAL_PORT": str(server.port),
        "REAL_NAME": database,
        "REAL_USER": "postgres",
        "REAL_PASSWORD": PASSWORD,
    }


def variables_without_database(project: Project, folder: Path) -> dict[str, str]:
    """Return the same where there is no database; what the project leaves at home stays here."""
    settings = {"DJANGO_SETTINGS_MODULE": "real_settings", "HOME": str(folder)}
    return environment(**settings, **project.variables)


def _call(*command: str) -> None:
    ended = subprocess.run(command, check=False, capture_output=True, text=True, env=os.environ)
    if ended.returncode:
        last = (ended.stderr.strip().splitlines() or ["no message"])[-1]
        raise NotInstalled(f"{' '.join(command[:4])} failed: {last}")
