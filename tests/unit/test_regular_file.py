"""Files of the operator: a FIFO, a device, a folder or a socket is refused and never waited for."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from factories import snapshot
from sidecar.config.build import load_manifest
from sidecar.config.load import load
from sidecar.core.gate.state import PollResult
from sidecar.core.migrations.compare import Outcome
from sidecar.databases.mysql import dsn
from sidecar.databases.mysql.tls import create_context
from sidecar.databases.postgres.tls import Tls
from sidecar.errors import UsageError
from sidecar.outputs.state_file import StateFile
from sidecar.regular_file import NotRegularFile, read_regular

SETTINGS = (
    *("MANIFEST", "STATE_FILE", "TOKEN_FILE", "TLS_CERT", "TLS_KEY", "PASSWORD_FILE", "CONFIG"),
    *("DATABASE_URL_FILE", "PASSWORD_FILE_REPLICA", "DATABASE_URL_REPLICA_FILE"),
)


@pytest.fixture(params=["a FIFO", "a folder", "a socket", "a device"])
def other(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A path that leads to no regular file, by a link, and what it leads to."""
    target, link = tmp_path / "target", tmp_path / "link"
    with socket.socket(socket.AF_UNIX) as listener:
        match request.param:
            case "a FIFO":
                os.mkfifo(target)
            case "a folder":
                target.mkdir()
            case "a socket":
                listener.bind(os.path.relpath(target))
            case _:
                target = Path("/dev/zero")
        link.symlink_to(target)
        yield link, request.param


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_setting_must_name_a_regular_file(other: tuple[Path, str], setting: str) -> None:
    """The line has the setting, the path, what is there and what to do."""
    path, kind = other
    with pytest.raises(UsageError) as caught:
        load({}, {f"SIDECAR_{setting}": str(path)})
    line = str(caught.value)
    assert str(path) in line
    assert line.endswith(f"is {kind}; name a regular file")
    assert line.startswith(f"SIDECAR_{setting}: ") or setting == "CONFIG"


def test_what_has_become_something_else_is_not_waited_for(other: tuple[Path, str]) -> None:
    """Whoever opens a file again, or by a default, finds at once that it is none."""
    path, kind = other
    with pytest.raises(UsageError, match=f"is {kind}"):
        load_manifest(path)
    assert not StateFile(path).remembers("sha256:0")
    for name in ("sslrootcert", "sslcert", "sslkey"):
        with pytest.raises(NotRegularFile):
            Tls(f"postgres://h/d?{name}={path}", {}).create_context()
    with pytest.raises(NotRegularFile):
        create_context(dsn.Tls(mode="REQUIRED", ca=str(path)))


def test_a_link_to_a_regular_file_is_followed(tmp_path: Path) -> None:
    """Kubernetes mounts secrets as links to links."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "token").write_text("secret")
    (tmp_path / "now").symlink_to("data")
    (tmp_path / "token").symlink_to("now/token")
    assert read_regular(tmp_path / "token") == b"secret"


def test_the_state_file_is_written_through_no_link(tmp_path: Path) -> None:
    """A link at its name, or at its temporary one, is replaced; what it leads to stays."""
    precious = tmp_path / "precious"
    precious.write_text("mine")
    for name in ("state", "state.new"):
        (tmp_path / name).symlink_to(precious)
    state_file = StateFile(tmp_path / "state")
    state_file.announce(snapshot([], PollResult(at=1.0, outcome=Outcome.CURRENT)))
    assert precious.read_text() == "mine"
    assert state_file.remembers("sha256:0")
