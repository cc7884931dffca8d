"""Databases of different systems behind one gate."""

import subprocess
from pathlib import Path

from support import project
from support.process import Sidecar, until
from support.systems import SHIM, SQLite, System


def test_one_gate_waits_for_databases_of_two_systems(system: System, tmp_path: Path) -> None:
    """Each alias is read by its own system's module; the gate opens when both are current."""
    sessions, manifest = SQLite(tmp_path / "sessions.sqlite3"), tmp_path / "manifest.json"
    shared = {"PYTHONPATH": str(SHIM), "SESSIONS_DATABASE_URL": sessions.migrator}
    subprocess.run(
        [project.sidecar(), "bake", "--settings=storefront.settings", "-o", str(manifest)],
        check=True,
        cwd=project.APP,
        env=project.environment(DATABASE_URL=system.migrator, **shared),
        capture_output=True,
    )
    watched = {"SIDECAR_DATABASE_URL_SESSIONS": sessions.reader}
    with Sidecar(manifest, url=system.reader, **watched) as sidecar:
        project.manage("migrate", "--verbosity=0", url=system.migrator, **shared)
        until(lambda: "[+]default ok" in sidecar.get("/readyz?verbose")[1], "one is current")
        assert "[-]sessions schema_behind" in sidecar.get("/readyz?verbose")[1]
        project.manage(
            *("migrate", "--verbosity=0", "--database=sessions"), url=system.migrator, **shared
        )
        until(sidecar.ready, "both are current")
