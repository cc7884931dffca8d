"""Opens files that the operator names, and only those that are regular files.

Whoever opens a FIFO waits for its writer, and a device may have no end: either would stop
the event loop. Symbolic links are followed, since Kubernetes mounts secrets as links.
"""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO, Final

KINDS: Final = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFDIR: "a folder",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class NotRegularFile(OSError):
    """The path leads to something else; `strerror` names what, and what to do."""


def check_regular(file: Path) -> None:
    """Raise NotRegularFile unless this is a regular file, another OSError if it is not there."""
    _check(file.stat())


def open_regular(file: Path) -> BinaryIO:
    """Open a file for reading without waiting for anybody. Raises as `check_regular` does."""
    check_regular(file)
    # Between the two it may have been replaced.
    opened = os.fdopen(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY), "rb")
    try:
        _check(os.fstat(opened.fileno()))
    except NotRegularFile:
        opened.close()
        raise
    return opened


def read_regular(file: Path) -> bytes:
    """Return what a file holds. Raises as `check_regular` does."""
    with open_regular(file) as opened:
        return opened.read()


def _check(status: os.stat_result) -> None:
    kind = stat.S_IFMT(status.st_mode)
    if kind != stat.S_IFREG:
        text = f"is {KINDS.get(kind, 'something else')}; name a regular file"
        raise NotRegularFile(errno.EINVAL, text)
