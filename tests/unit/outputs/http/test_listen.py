"""Listening addresses."""

import socket
import stat
from pathlib import Path

import pytest

from sidecar.errors import UsageError
from sidecar.outputs.http.listen import bind, format_url, split


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [
        ("127.0.0.1:80", "127.0.0.1", 80),
        ("[::1]:80", "::1", 80),
        ("[::]:8089", "::", 8089),
        (":8089", "", 8089),
        ("8089", "", 8089),
        ("::1:80", "::1", 80),
    ],
)
def test_addresses_are_read_as_people_write_them(address: str, host: str, port: int) -> None:
    """Host and port, IPv6 in brackets or not, or a port alone."""
    assert split(address) == (host, port)


@pytest.mark.parametrize("address", ["", "host", "host:", "host:http", "host:70000", "host:-1"])
def test_an_address_without_a_port_is_refused(address: str) -> None:
    """One line that shows the address."""
    with pytest.raises(UsageError, match="cannot listen on"):
        split(address)


def test_any_address_means_both_families() -> None:
    """[::]:0 takes IPv4 as well, and is shown as an address that works."""
    with bind("[::]:0") as bound:
        port = bound.getsockname()[1]
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        assert format_url(bound) == f"http://localhost:{port}"


def test_a_socket_file_in_use_is_not_taken_over(tmp_path: Path) -> None:
    """A live listener keeps its file, a dead one's is replaced, and no other file is removed."""
    address = f"unix:{tmp_path}/s"
    with bind(address), pytest.raises(UsageError, match="in use"):
        bind(address)
    with bind(address) as bound:
        assert format_url(bound) == address
        assert stat.S_ISSOCK((tmp_path / "s").stat().st_mode)
    (tmp_path / "file").write_text("precious")
    with pytest.raises(UsageError):
        bind(f"unix:{tmp_path}/file")
    assert (tmp_path / "file").read_text() == "precious"
