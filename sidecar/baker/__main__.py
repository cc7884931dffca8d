"""Run the baker: `python baker`, `python baker.pyz` or `python -m sidecar.baker`."""

import importlib
import sys
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from pathlib import Path

PACKAGE = "_migration_sidecar_baker"
"""The package's name when it is run by its path: no project has such a module."""


def import_by_path(location: Path) -> str:
    """Make a package of this folder or archive, and take it off the path; return its name.

    Python puts a folder or archive that it runs first on the path, where our `graph` would be
    found instead of a project's. A folder with manage.py, if we lie in one, takes its place.
    """
    beside = [str(location.parent)] if (location.parent / "manage.py").exists() else []
    sys.path[:] = beside + [entry for entry in sys.path if Path(entry) != location]
    spec = ModuleSpec(PACKAGE, None, is_package=True)
    spec.submodule_search_locations = [str(location)]
    sys.modules[PACKAGE] = module_from_spec(spec)
    return PACKAGE


if __name__ == "__main__":
    package = __package__ or import_by_path(Path(__file__).parent)
    sys.exit(importlib.import_module(f"{package}.command_line").main())
