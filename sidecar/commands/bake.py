"""Write the manifest of a Django project's migrations: `baker.py`, as a command."""

from sidecar import baker


def run(arguments: list[str]) -> int:
    """Bake with these arguments; return the exit code."""
    return baker.main(arguments, program="sidecar bake")
