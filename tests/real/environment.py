"""Where a project runs: a virtual environment of its own, made once for its requirements."""

import os
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from real.projects import Project
from support.postgres import PASSWORD, Server
from support.project import REPOSITORY, environment

FOLDER = REPOSITORY / ".real"
REQUIREMENTS = REPOSITORY / "requirements" / "real"
PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
LOCK = (
    *("pip", "compile", "--quiet", "--upgrade", "--universal", "--generate-hashes"),
    *("--no-emit-index-url", "--no-annotate", "--no-header"),
)


class NotInstalled(Exception):
    """Why a project cannot run on this machine, in one line."""


class Failed(Exception):
    """What went wrong on a project's way: it could not be baked, migrated or asked."""


def install(project: Project) -> Path:
    """Return the Python of the project's environment, made anew if its requirements changed."""
    interpreter = find_interpreter(project.python)
    if interpreter is None:
        raise NotInstalled(f"there is no Python {project.python} on this machine")
    requirements = REQUIREMENTS / f"{project.name}.txt"
    made_of = sha256(requirements.read_bytes() + interpreter.encode()).hexdigest()
    folder = FOLDER / project.name / "venv"
    stamp, python = folder / "made-of", folder / "bin" / "python"
    if not stamp.exists() or stamp.read_text() != made_of:
        _call(interpreter, "-m", "venv", "--clear", str(folder))
        _call(str(python), *PIP, "--require-hashes", "-r", str(requirements))
        stamp.write_text(made_of)
    return python


def find_interpreter(minor: str) -> str | None:
    """Return a Python that runs: on the PATH, where pyenv's shims may not, or under ~/.pyenv."""
    versions = sorted((Path.home() / ".pyenv" / "versions").glob(f"{minor}.*/bin/python"))
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    for path in (shutil.which(f"python{minor}"), *map(str, reversed(versions))):
        if path is not None:
            ended = subprocess.run([path, "-c", code], check=False, capture_output=True, text=True)
            if ended.stdout.strip() == minor:
                return path
    return None


def lock(project: Project) -> None:
    """Pin the project's requirements anew, with hashes."""
    interpreter = find_interpreter(project.python) or project.python
    wanted = REQUIREMENTS / f"{project.name}.in"
    _call(
        *(str(Path(sys.executable).with_name("uv")), *LOCK, str(wanted)),
        *("--python", interpreter, "--python-version", project.python),
        *("-o", str(wanted.with_suffix(".txt"))),
    )


def variables(project: Project, folder: Path, server: Server, database: str) -> dict[str, str]:
    """Return all that the project's processes find in their environment."""
    return {
        **bare(project, folder),
        "REAL_HOST": "127.0.0.1",
        "REAL_PORT": str(server.port),
        "REAL_NAME": database,
        "REAL_USER": "postgres",
        "REAL_PASSWORD": PASSWORD,
    }


def bare(project: Project, folder: Path) -> dict[str, str]:
    """Return the same where there is no database; what the project leaves at home stays here."""
    settings = {"DJANGO_SETTINGS_MODULE": "real_settings", "HOME": str(folder)}
    return environment(**settings, **project.variables)


def _call(*command: str) -> None:
    ended = subprocess.run(command, check=False, capture_output=True, text=True, env=os.environ)
    if ended.returncode:
        last = (ended.stderr.strip().splitlines() or ["no message"])[-1]
        raise NotInstalled(f"{' '.join(command[:4])} failed: {last}")
