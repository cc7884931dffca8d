"""A real Pushgateway (Debian's)."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from support import needs
from support.postgres import free_port
from support.process import ask, until


@contextmanager
def run_pushgateway() -> Iterator[str]:
    """Run a Pushgateway; yield its URL."""
    program = needs.program("pushgateway", "prometheus-pushgateway")
    port = free_port()
    with subprocess.Popen(
        [program, f"--web.listen-address=127.0.0.1:{port}"], stderr=subprocess.DEVNULL
    ) as process:
        url = f"http://127.0.0.1:{port}"

        def answers() -> bool:
            try:
                return ask(f"{url}/-/ready")[0] == 200
            except OSError:
                return False

        try:
            until(answers, "the Pushgateway answers")
            yield url
        finally:
            process.kill()


def read_metrics(url: str) -> str:
    """Return what was pushed, as exposition text without the gateway's own metrics."""
    _, text = ask(f"{url}/metrics")
    return "".join(line for line in text.splitlines(keepends=True) if "django_schema_" in line)
