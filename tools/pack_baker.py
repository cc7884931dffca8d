"""Pack sidecar/baker/ into one file that Python runs (zipapp): python tools/pack_baker.py FILE.

The same code gives the same bytes, on every machine: sorted entries, fixed times and modes, and
no compression, whose result depends on the version of zlib.
"""

import sys
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

FOLDER = Path(__file__).resolve().parents[1] / "sidecar" / "baker"
SHEBANG = b"#!/usr/bin/env python3\n"
EARLIEST = (1980, 1, 1, 0, 0, 0)
"""The first time that a zip file can hold."""
UNIX = 3
FILE_MODE = 0o100644


def pack(target: Path) -> None:
    """Write the archive, executable, and make the folders to it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        file.write(SHEBANG)
        with ZipFile(file, "w", ZIP_STORED) as archive:
            for source in sorted(FOLDER.glob("*.py")):
                entry = ZipInfo(source.name, EARLIEST)
                entry.create_system = UNIX
                entry.external_attr = FILE_MODE << 16
                archive.writestr(entry, source.read_bytes())
    target.chmod(0o755)


if __name__ == "__main__":
    pack(Path(sys.argv[1]))
