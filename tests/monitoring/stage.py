"""Who takes part: a database, an old and a new release, their sidecars, and Prometheus."""

import shutil
import subprocess
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final, Self

from monitoring.prometheus import Prometheus
from support import project
from support.database import add_database
from support.postgres import Server
from support.process import Sidecar, until
from support.proxy import Proxy
from support.pushgateway import run_pushgateway

SLOW: Final = 2.0
"""How long the slow migration sleeps, in seconds."""
SOON: Final = ("--interval=200ms", "--connect-timeout=400ms", "--read-timeout=400ms")
NEWEST: Final = ("0010_order_total", "0011_fill_order_totals", "0012_order_archived")


class Stage:
    """Everything that runs; `sidecars` are those that Prometheus scrapes, by name."""

    def __init__(self, folder: Path) -> None:
        """Take a folder; nothing runs yet."""
        self.folder = folder
        self.sidecars: dict[str, Sidecar] = {}
        self._open = ExitStack()

    def __enter__(self) -> Self:
        """Start the database with the old release's schema, and Prometheus."""
        with ExitStack() as stack:
            self.server = stack.enter_context(Server())
            self.database = add_database(self.server, "shop")
            self.database.migrate()
            self.database.migrate("orders", "0009")
            self.server.execute("CREATE DATABASE stale TEMPLATE shop")
            self.proxy = stack.enter_context(Proxy(self.server.port))
            self.pushgateway = stack.enter_context(run_pushgateway())
            (self.folder / "prometheus").mkdir()
            self.prometheus = stack.enter_context(Prometheus(self.folder / "prometheus"))
            self._open = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """End everything."""
        self._open.close()

    def bake(self) -> None:
        """Bake the new release, and the old one, which lacks the newest migrations."""
        old = self.folder / "old-app"
        shutil.copytree(project.APP, old, ignore=shutil.ignore_patterns("__pycache__"))
        for name in NEWEST:
            (old / "orders" / "migrations" / f"{name}.py").unlink()
        for release, app in (("1.0", old), ("2.0", project.APP)):
            (self.folder / release).mkdir()
            flags = (f"--release={release}", "--no-model-check")
            project.bake(self.manifest(release), *flags, app=app).check_returncode()

    def manifest(self, release: str) -> Path:
        """Return where a release's manifest is."""
        return self.folder / release / "manifest.json"

    def start(self, name: str, release: str, *flags: str, database: str = "shop") -> Sidecar:
        """Start a sidecar of a release; it reaches the database through the proxy."""
        url = self.server.url(database, "sidecar_reader")
        url = url.replace(f":{self.server.port}/", f":{self.proxy.port}/")
        sidecar = Sidecar(self.manifest(release), *SOON, "--drain-delay=0s", *flags, url=url)
        self.sidecars[name] = self._open.enter_context(sidecar)
        self._scrape()
        return sidecar

    def stop(self, *names: str) -> None:
        """Stop sidecars; Prometheus forgets them."""
        for name in names:
            self.sidecars.pop(name).stop()
        self._scrape()

    def _scrape(self) -> None:
        gateway = self.pushgateway.removeprefix("http://")
        pods = [sidecar.url.removeprefix("http://") for sidecar in self.sidecars.values()]
        self.prometheus.scrape({"shop": pods, "pushgateway": [gateway]})

    def until_phase(self, phase: str, *names: str) -> None:
        """Wait until the gates of these sidecars are in a phase."""
        for name in names:
            until(partial(self._is_in, phase, name), f"{name} is {phase}")

    def _is_in(self, phase: str, name: str) -> bool:
        return bool(self.sidecars[name].status()["phase"] == phase)

    def sidecar_migrate(self, *command: str) -> "subprocess.Popen[str]":
        """Start `sidecar migrate`; the metrics that it pushes are scraped."""
        flags = (f"--manifest={self.manifest('2.0')}", f"--pushgateway={self.pushgateway}")
        command = command or (sys.executable, "manage.py", "migrate", "--verbosity=0")
        return subprocess.Popen(
            [project.sidecar(), "migrate", *flags, "--", *command],
            cwd=project.APP,
            env=project.environment(
                DATABASE_URL=self.database.migrator, EXAMPLE_SLOW_SECONDS=str(SLOW)
            ),
            stderr=subprocess.PIPE,
            text=True,
        )
