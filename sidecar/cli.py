"""The command line: find the command, read its settings, map its errors to exit codes.

A command is imported only when it runs, and nothing slow before it, so that `healthcheck`
starts in the time of a bare interpreter.
"""

import os
import sys

from sidecar.errors import SidecarError, UsageError

COMMANDS = {
    "serve": "watch the schema and answer readiness probes and scrapes",
    "check": "look once, and say whether the schema is current",
    "wait": "wait until the schema is current, then become a command",
    "migrate": "run migrate, one process at a time, and report",
    "healthcheck": "ask a running sidecar; for docker-compose",
    "diff": "say what a deploy from one manifest to another will do",
    "bake": "write the manifest of a Django project's migrations",
}

HELP = """\
usage: sidecar COMMAND [OPTIONS]

Lets traffic reach a Django app only after its database schema is current.

commands:
{commands}

Every setting is a flag, a SIDECAR_* variable and a key of the TOML file named by --config.
`sidecar COMMAND --help` lists them. Exit codes: 0 current, 10 behind, 11 ahead,
12 inconsistent, 20 database unreachable, 64 usage, 65 manifest, 124 timed out.
"""

INTERRUPTED = 130


def script() -> None:
    """Run a command and end the process at once, as mypy does.

    Taking an interpreter apart is a tenth of what a short command costs, and frees what ends
    anyway.
    """
    _mend_streams()
    code = main()
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = code or 1
    except OSError as error:
        code = _lost(error)
    os._exit(code)


def _mend_streams() -> None:
    """Let no command depend on who reads: the exit code is the answer."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - pathlib is slow
    else:
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115


def main(argv: list[str] | None = None) -> int:
    """Run a command and return its exit code."""
    name, *rest = [*(sys.argv[1:] if argv is None else argv)] or ["--help"]
    try:
        return _run(name, rest)
    except SidecarError as error:
        _tell(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return 1  # Whoever read our output has gone; there is nobody left to tell.
    except OSError as error:
        from errno import ENOSPC

        return _unexpected(error) if error.filename or error.errno != ENOSPC else _lost(error)
    except Exception as error:  # noqa: BLE001 - the last line of defence: one line, no traceback
        return _unexpected(error)


def _unexpected(error: Exception) -> int:
    """Tell a bug of ours in one line; with SIDECAR_LOG_LEVEL=debug where it happened, too."""
    if os.environ.get("SIDECAR_LOG_LEVEL") == "debug":
        from traceback import print_exception

        print_exception(error)
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    text = " ".join(str(error).split())
    _tell(f"unexpected {type(error).__name__}: {text}; please report it")
    return 1


def _lost(error: OSError) -> int:
    """Tell that nobody will read what was said, so that no code says that all is well."""
    _tell(f"the output could not be written: {error.strerror}")
    return 1


def _tell(line: str) -> None:
    try:
        print(f"sidecar: {line}", file=sys.stderr, flush=True)
    except OSError:
        return  # The exit code still tells.


def _run(name: str, rest: list[str]) -> int:
    match name:
        case "healthcheck":
            from sidecar import healthcheck

            return healthcheck.main(rest)
        case "bake":
            from sidecar.commands import bake

            return bake.run(rest)
        case "serve" | "check" | "wait" | "migrate" | "diff":
            return _run_with_settings(name, rest)
        case "-h" | "--help" | "help":
            lines = (f"  {command:12} {text}" for command, text in COMMANDS.items())
            print(HELP.format(commands="\n".join(lines)), end="")
            return 0
        case "--version":
            from sidecar import __version__

            print(f"migration-sidecar {__version__}")
            return 0
        case _:
            raise UsageError(f"unknown command {_told(name)}{_nearest(name)}; see sidecar --help")


def _run_with_settings(name: str, rest: list[str]) -> int:
    from argparse import ArgumentParser, RawDescriptionHelpFormatter
    from importlib import import_module
    from typing import NoReturn

    from sidecar import pid1
    from sidecar.config import load as sources
    from sidecar.config import settings

    pid1.end_on_sigterm()

    class Parser(ArgumentParser):
        def error(self, message: str) -> NoReturn:
            # argparse would repeat the value.
            told = message.partition(" ignored explicit argument ")
            said = f"{told[0]} takes no value" if told[1] else message
            raise UsageError(f"{name}: {said}; see sidecar {name} --help")

    words, command = (
        (rest[: rest.index("--")], rest[rest.index("--") + 1 :]) if "--" in rest else (rest, [])
    )
    module = import_module(f"sidecar.commands.{name}")
    parser = Parser(
        prog=f"sidecar {name}",
        description=module.__doc__,
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    module.add_options(parser)
    if module.SETTINGS:
        settings.add_flags(parser, module.SETTINGS)
    options, unknown = parser.parse_known_args(words)
    if unknown:
        flags = [flag for action in parser._actions for flag in action.option_strings]  # noqa: SLF001
        raise UsageError(
            f"{name}: unknown argument {_told(unknown[0])}{_nearest(unknown[0], tuple(flags))}; "
            f"see sidecar {name} --help"
        )
    code: int = module.run(sources.load(vars(options)), options, command)
    return code


def _told(word: str) -> str:
    """Return a word as it may be logged: a flag without its value, nothing that may be a URL."""
    flag = word.partition("=")[0]
    return "(not repeated: it may be a secret)" if set(flag) & set("@:/") else repr(flag)


def _nearest(word: str, known: tuple[str, ...] = tuple(COMMANDS)) -> str:
    from difflib import get_close_matches

    close = get_close_matches(word, known, 1)
    return f", did you mean {close[0]}?" if close else ""
