"""Write the manifest of a Django project's migrations: the stand-alone baker, as a command."""

from sidecar.baker import command_line


def run(arguments: list[str]) -> int:
    """Bake with these arguments; return the exit code."""
    return command_line.main(arguments, program="sidecar bake")
