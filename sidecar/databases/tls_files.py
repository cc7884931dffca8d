"""The certificate and key files that a database URL names."""

from collections.abc import Mapping
from pathlib import Path

from sidecar.regular_file import open_regular


def find_unreadable_file(files: Mapping[str, str | None]) -> str | None:
    """Return the first file that cannot be read, as `parameter file: error`; None if all can.

    `files` has the path for each parameter's name, or None.
    """
    for name, file in files.items():
        try:
            if file:
                open_regular(Path(file)).close()
        except OSError as error:
            return f"{name} {file}: {error.strerror}"
    return None
