"""What a test needs from the machine; each need is a marker, so that `-m "not docker"` works."""

import os
import shutil
import socket
from typing import Final, NoReturn

import pytest

NEEDS: Final = {
    "chromium": "chromium (Debian package chromium)",
    "docker": "a Docker engine; `make e2e` brings one",
    "faketime": "libfaketime (Debian package libfaketime), to step clocks",
    "ipv6": "IPv6 on the loopback interface",
    "mariadb": "MariaDB (Debian packages mariadb-server-core, mariadb-client-core)",
    "namespaces": "iproute2 and util-linux, and run as root, to drop packets",
    "pgbouncer": "PgBouncer (Debian package pgbouncer)",
    "postgresql_tls": "PostgreSQL with TLS (Debian package postgresql)",
    "prometheus": "prometheus and promtool (Debian package prometheus)",
    "pushgateway": "prometheus-pushgateway (Debian package prometheus-pushgateway)",
    "pythons": "the Pythons that bake on each Django (for example: pyenv install 3.9)",
}

_current: list[pytest.Item] = []


def register(config: pytest.Config) -> None:
    """Declare the markers to pytest."""
    for name, what in NEEDS.items():
        config.addinivalue_line("markers", f"{name}: needs {what}")


def enter(item: pytest.Item) -> None:
    """Note which test is about to run."""
    _current[:] = [item]


def program(need: str, name: str) -> str:
    """Return the path of a program; skip the test, or fail it, where it is not installed."""
    declare(need)
    path = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/usr/local/sbin"
    return shutil.which(name, path=path) or missing(need)


def ipv6() -> None:
    """Skip the test, or fail it, where nothing can listen on `::1`."""
    declare("ipv6")
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        missing("ipv6")


def declare(need: str) -> None:
    """Fail the running test if it does not carry the marker of what it uses."""
    if _current and _current[0].get_closest_marker(need) is None:
        pytest.fail(f"mark it: @pytest.mark.{need}", pytrace=False)


def missing(need: str, what: str = "") -> NoReturn:
    """Skip with one line that names what to install; fail where everything must be there."""
    line = f"NOT TESTED: install {what or NEEDS[need]}"
    if os.environ.get("REQUIRE_ALL") == "1":
        pytest.fail(line, pytrace=False)
    pytest.skip(line)
