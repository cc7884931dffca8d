"""The example Django project, run by its own manage.py in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
APP = REPOSITORY / "compose" / "app"
READER_SQL = REPOSITORY / "compose" / "sql" / "reader.sql"

LEAF = "orders.0012_order_archived"
BEFORE_LEAF = "orders.0011_fill_order_totals"


def environment(**variables: str) -> dict[str, str]:
    """Return a bare environment: nothing of ours, of Django's or of libpq's leaks in."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1", **variables}


def manage(*arguments: str, url: str = "", **variables: str) -> str:
    """Run a management command; return its output. Raises CalledProcessError."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        check=True,
        cwd=APP,
        env=environment(DATABASE_URL=url, **variables),
        capture_output=True,
        text=True,
    ).stdout


def bake(output: Path, *arguments: str, app: Path = APP) -> "subprocess.CompletedProcess[str]":
    """Bake the project with the installed `sidecar bake`."""
    return subprocess.run(
        [sidecar(), "bake", "--settings", "storefront.settings", "-o", str(output), *arguments],
        check=False,
        cwd=app,
        env=environment(),
        capture_output=True,
        text=True,
    )


def sidecar() -> str:
    """Return the installed command."""
    return str(Path(sys.executable).with_name("sidecar"))
