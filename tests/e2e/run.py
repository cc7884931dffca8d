"""Build the image, and play each compose story with a real Docker engine.

    make e2e [ARGS="-k blue_green"]

Installs what is missing (on Debian, as root), starts dockerd if none runs, builds stand-ins
where no base image can be pulled, and leaves nothing running. Layers are kept in .e2e/.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

from e2e import standins
from e2e.engine import Engine, install_missing

REPOSITORY = Path(__file__).resolve().parents[2]
WORK = REPOSITORY / ".e2e"


def main(arguments: list[str]) -> int:
    """Run the stories; return pytest's exit code."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    install_missing()
    with Engine(WORK):
        os.environ.update(standins.choose(WORK))
        command = [sys.executable, "-m", "pytest", str(Path(__file__).parent), "--timeout=600"]
        return subprocess.run([*command, *arguments], check=False, cwd=REPOSITORY).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
