"""A memory limit on one process, as a container's: a cgroup of its own."""

import os
import re
from pathlib import Path
from typing import Final, Self

from support.project import REPOSITORY

VERSIONS: Final = (
    (Path("/sys/fs/cgroup"), "memory.max"),
    (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"),
)
"""Folder, and file with the limit: version 2, and version 1."""


def shipped_limit() -> int:
    """Return the memory limit of the shipped manifests, in bytes."""
    manifest = REPOSITORY / "k8s" / "components" / "native-sidecar" / "deployment.yaml"
    found = re.search(r"limits: \{memory: (\d+)Mi\}", manifest.read_text())
    assert found is not None, "the manifest has a limit in MiB"
    return int(found[1]) * 2**20


class MemoryGroup:
    """A cgroup with a memory limit; `real` is False where none can be made."""

    def __init__(self, limit: int) -> None:
        """Make it, where this machine allows that."""
        self.folder: Path | None = None
        for root, limit_file in VERSIONS:
            folder = root / f"sidecar-attacks-{os.getpid()}"
            try:
                folder.mkdir()
            except OSError:
                continue
            if (folder / limit_file).exists():
                (folder / limit_file).write_text(str(limit))
                self.folder = folder
                return
            folder.rmdir()

    @property
    def real(self) -> bool:
        """Return whether the limit is enforced."""
        return self.folder is not None

    def __enter__(self) -> Self:
        """Limit nobody yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove it; its processes must have ended."""
        if self.folder is not None:
            self.folder.rmdir()

    def add(self, process: int) -> None:
        """Limit this process from now on."""
        if self.folder is not None:
            (self.folder / "cgroup.procs").write_text(str(process))
