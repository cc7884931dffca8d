"""The state file remembers an open gate across restarts."""

from pathlib import Path

import pytest

from factories import snapshot
from sidecar.core.gate.state import PollResult
from sidecar.core.migrations.compare import Outcome
from sidecar.core.reason import Reason
from sidecar.outputs.state_file import StateFile

GOOD = PollResult(at=1.0, outcome=Outcome.CURRENT)
BEHIND = PollResult(at=2.0, outcome=Outcome.BEHIND)
DOWN = PollResult(at=3.0, failure=Reason.DATABASE_UNREACHABLE)


def test_a_state_file_keeps_the_manifest_of_an_open_gate(tmp_path: Path) -> None:
    """It remembers after opening, only for that manifest, and forgets after closing."""
    state_file = StateFile(tmp_path / "state")
    assert not state_file.remembers("sha256:0")
    state_file.announce(snapshot([], GOOD))
    state_file.announce(snapshot([], GOOD, DOWN))
    again = StateFile(tmp_path / "state")
    assert again.remembers("sha256:0")
    assert not again.remembers("sha256:1")
    again.announce(snapshot([], GOOD, BEHIND, BEHIND))
    assert not again.remembers("sha256:0")
    assert list(tmp_path.iterdir()) == []


def test_a_state_file_that_cannot_be_written_is_written_once_it_can(tmp_path: Path) -> None:
    """Whoever announces is given the error, and the next announcement tries again."""
    state_file = StateFile(tmp_path / "late" / "state")
    with pytest.raises(FileNotFoundError):
        state_file.announce(snapshot([], GOOD))
    (tmp_path / "late").mkdir()
    state_file.announce(snapshot([], GOOD))
    assert state_file.remembers("sha256:0")


def test_a_state_file_does_not_trust_garbage(tmp_path: Path) -> None:
    """A state file of another kind is as good as none."""
    (tmp_path / "state").write_bytes(b"\xff\x00")
    assert not StateFile(tmp_path / "state").remembers("sha256:0")
    assert not StateFile(Path("/dev/zero")).remembers("sha256:0")
