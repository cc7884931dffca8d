"""The command line: run a command, and map its errors to exit codes.

`healthcheck` runs before anything else is imported, so that it starts in the time of a bare
interpreter.
"""

import os
import sys

COMPLETION = "_SIDECAR_COMPLETE"
"""The variable by which a shell asks for completions, as click has it."""


def script() -> None:
    """Run a command and end the process at once, as mypy does.

    Taking an interpreter apart is a tenth of what a short command costs, and frees what ends
    anyway.
    """
    _repair_streams()
    code = main()
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = code or _failure()
    except OSError as error:
        code = _output_lost(error)
    os._exit(code)


def _repair_streams() -> None:
    """Let no command depend on who reads: the exit code is the answer."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - pathlib is slow
    else:
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115


def main(argv: list[str] | None = None) -> int:
    """Run a command and return its exit code."""
    arguments = [*(sys.argv[1:] if argv is None else argv)] or ["--help"]
    if arguments[0] == "help":
        arguments = [*arguments[1:2], "--help"]
    try:
        return _run(arguments)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last line of defence
        return _report(error)


def _run(arguments: list[str]) -> int:
    if arguments[0] == "healthcheck":
        from sidecar import healthcheck

        return healthcheck.main(arguments[1:])
    from sidecar import pid1

    pid1.end_on_signals()
    if arguments[0] == "bake":
        from sidecar.commands import bake

        return bake.run(arguments[1:])
    from sidecar import commands

    if instruction := os.environ.get(COMPLETION):
        from click.shell_completion import shell_complete

        return shell_complete(commands.GROUP, {}, "sidecar", COMPLETION, instruction)
    return commands.run(arguments)


def _report(error: BaseException) -> int:
    """Print an error in one line; return its exit code."""
    from errno import ENOSPC

    from sidecar.errors import ExitCode, SidecarError

    match error:
        case SidecarError():
            _print(str(error))
            return error.exit_code
        case KeyboardInterrupt():
            return ExitCode.INTERRUPTED
        case BrokenPipeError():
            return ExitCode.ERROR  # Whoever read our output has gone.
        case OSError(errno=number, filename=None) if number == ENOSPC:
            return _output_lost(error)
        case _:
            return _unexpected(error)


def _unexpected(error: BaseException) -> int:
    """Print a bug of ours in one line; with SIDECAR_LOG_LEVEL=debug where it happened, too."""
    if os.environ.get("SIDECAR_LOG_LEVEL", "").lower() == "debug":
        from traceback import print_exception

        print_exception(error)
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    text = " ".join(str(error).split())
    _print(f"unexpected {type(error).__name__}: {text}; please report it")
    return _failure()


def _output_lost(error: OSError) -> int:
    """Print that nobody will read the output, so that no exit code means that all is well."""
    _print(f"the output could not be written: {error.strerror}")
    # What is still buffered would fail again.
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    return _failure()


def _failure() -> int:
    from sidecar.errors import ExitCode

    return ExitCode.ERROR


def _print(line: str) -> None:
    from sidecar.core.views.text import escape

    try:
        print(f"sidecar: {escape(line)}", file=sys.stderr, flush=True)
    except OSError:
        return  # The exit code is still the answer.
