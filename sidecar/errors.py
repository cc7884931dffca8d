"""Every error that a person may see, each with its exit code.

The codes are a contract (README, "Exit codes"). `cli.main` maps an error to its code
once; nothing else calls `sys.exit`.
"""


class SidecarError(Exception):
    """Something failed in a way that one line can explain; the text is that line."""

    exit_code = 1


class UsageError(SidecarError):
    """A flag, a variable or a settings file says something that cannot be meant."""

    exit_code = 64


class ManifestError(SidecarError):
    """The manifest is missing, or is not one that can be trusted."""

    exit_code = 65


class WaitTimeout(SidecarError):
    """`wait` ran out of time (124, as timeout(1) has it)."""

    exit_code = 124


class Interrupted(SidecarError):
    """A signal ended us (128 and its number, as in a POSIX shell)."""

    def __init__(self, number: int) -> None:
        """Take the signal's number."""
        super().__init__("interrupted")
        self.exit_code = 128 + number


class CommandNotRunnable(SidecarError):
    """The command after `--` exists but cannot be run (126, as in a POSIX shell)."""

    exit_code = 126


class CommandNotFound(SidecarError):
    """The command after `--` does not exist (127, as in a POSIX shell)."""

    exit_code = 127


class DatabaseError(SidecarError):
    """The recorded migrations could not be read; `reason` is the gate's word for why."""

    exit_code = 20
    reason = "database_unreachable"


class DatabaseUnreachable(DatabaseError):
    """No server answers there, or it takes no connections now."""


class DatabaseDenied(DatabaseError):
    """The server answers and refuses: password, role, database name or permission."""

    reason = "database_denied"


class DatabaseTimeout(DatabaseError):
    """The server accepted the question and did not answer it in time."""

    reason = "database_timeout"


class KubernetesError(SidecarError):
    """The Kubernetes API cannot be asked, or refuses; `retry_after` is the pause it asks for."""

    def __init__(self, text: str, retry_after: float | None = None) -> None:
        """Take the line for people, and seconds where the server names them."""
        super().__init__(text)
        self.retry_after = retry_after
