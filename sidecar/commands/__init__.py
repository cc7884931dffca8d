"""The commands: one verb a file, and here the click group that imports a verb when it runs.

A verb's module has SETTINGS (its groups of settings), OPTIONS (its own), TAKES_COMMAND
(whether a command may follow `--`) and `run`, which takes all of these and returns the exit
code. Its docstring is its help.
"""

import inspect
import logging
from collections.abc import Iterator, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from sidecar import __version__
from sidecar.config.load import load
from sidecar.config.parse import FILE, Kind
from sidecar.config.settings import FIELDS, GROUPS, help_text
from sidecar.errors import ExitCode, UsageError, describe_argument, did_you_mean

LOG = logging.getLogger("sidecar")

COMMANDS: Final = {
    "serve": "watch the schema and answer readiness probes and scrapes",
    "check": "read once, and show whether the schema is current",
    "wait": "wait until the schema is current, then become a command",
    "migrate": "run migrate, one process at a time, and report",
    "healthcheck": "ask a running sidecar; for docker-compose",
    "diff": "show what a deploy from one manifest to another will do",
    "bake": "write the manifest of a Django project's migrations",
}

STAND_ALONE: Final = ("healthcheck", "bake")
"""What `cli` runs without click; the group knows only their names."""

EXIT_CODES: Final = ", ".join(f"{code} {code.name.lower().replace('_', ' ')}" for code in ExitCode)


class Group(click.Group):
    """All commands; one is imported when it runs, so that `sidecar --help` is fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's shape
        """Return the names in the order of help."""
        return [*COMMANDS]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        """Return a command by its name."""
        if name in STAND_ALONE:
            return click.Command(name)
        return Verb(name, import_module(f"sidecar.commands.{name}")) if name in COMMANDS else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is named. Raises UsageError with the nearest that exists."""
        if args[0] not in COMMANDS and not ctx.resilient_parsing:
            unknown = f"{describe_argument(args[0])}{did_you_mean(args[0], COMMANDS)}"
            raise UsageError(f"unknown command {unknown} (see sidecar --help)")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([*COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands and options that begin so, without importing the commands."""
        found = [
            CompletionItem(name, help=text)
            for name, text in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]


class SettingOption(click.Option):
    """A setting as a flag; `config.load` parses its text, wherever that comes from."""

    def __init__(self, name: str) -> None:
        """Take the setting's name."""
        item = FIELDS[name]
        kind: Kind = item.metadata["kind"]
        self.group: str = item.metadata["group"]
        self._choices = kind.choices
        super().__init__(
            ["--" + name.replace("_", "-"), name],
            metavar=kind.metavar,
            help=help_text(item),
            type=click.Path() if kind is FILE else None,
        )

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the allowed values that begin so."""
        if not self._choices:
            return super().shell_complete(ctx, incomplete)
        return [CompletionItem(word) for word in self._choices if word.startswith(incomplete)]


class Verb(click.Command):
    """One command: its options, the settings of its groups, and what may follow `--`."""

    def __init__(self, name: str, module: ModuleType) -> None:
        """Take the module."""
        self._module = module
        self._groups: Sequence[str] = module.SETTINGS
        super().__init__(
            name,
            params=[*module.OPTIONS, *self._settings()],
            help=module.__doc__,
            epilog="A setting is also a variable (--on-ahead: SIDECAR_ON_AHEAD) and a key of the"
            " file that --config names (on_ahead)."
            if self._groups
            else None,
        )

    def _settings(self) -> Iterator[click.Option]:
        for name, item in FIELDS.items():
            if item.metadata["group"] in self._groups:
                yield SettingOption(name)
        if self._groups:
            text = "TOML file with any of the settings (also SIDECAR_CONFIG)"
            yield click.Option(["--config"], metavar="FILE", type=click.Path(), help=text)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the command after `--` apart, and parse what precedes it. Raises UsageError."""
        at = args.index("--") if "--" in args else len(args)
        ctx.allow_extra_args = True
        try:
            rest = super().parse_args(ctx, args[:at])
        except click.UsageError as error:
            error.ctx = error.ctx or ctx
            raise
        if ctx.resilient_parsing:
            return rest
        if ctx.args:
            hint = "; write -- before the command" if self._module.TAKES_COMMAND else ""
            unknown = describe_argument(ctx.args[0]) + hint
            raise UsageError(
                f"{self.name}: unknown argument {unknown} (see {ctx.command_path} --help)"
            )
        if args[at:] and not self._module.TAKES_COMMAND:
            raise UsageError(f"{self.name}: takes no command after --")
        ctx.obj = args[at + 1 :]
        return rest

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's shape
        """Read the settings and run; return the exit code."""
        given = {n: v for n, v in ctx.params.items() if n not in FIELDS and n != "config"}
        if self._module.TAKES_COMMAND:
            given["command"] = ctx.obj
        if self._groups:
            given["settings"] = settings = load(ctx.params)
            from sidecar.outputs import log_format  # noqa: PLC0415 - help needs none

            log_format.configure(settings.log_format, settings.log_level)
            for variable in settings.unknown:
                LOG.warning("%s is no setting, and ignored", variable)
        return self._module.run(**given)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Return the arguments as the usage line shows them."""
        command = ["[-- COMMAND...]"] if self._module.TAKES_COMMAND else []
        return [*super().collect_usage_pieces(ctx), *command]

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the module's docstring as it stands."""
        formatter.write_paragraph()
        for line in inspect.cleandoc(self.help or "").splitlines():
            formatter.write(f"  {line}\n" if line else "\n")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command's own options, then the settings in their groups."""
        sections: dict[str, list[tuple[str, str]]] = {title: [] for title in GROUPS.values()}
        own: list[tuple[str, str]] = []
        for option in self.get_params(ctx):
            if isinstance(option, click.Option) and (record := option.get_help_record(ctx)):
                group = GROUPS[option.group] if isinstance(option, SettingOption) else None
                (sections[group] if group else own).append(record)
        for title, records in {"Options": own, **sections}.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


GROUP: Final = click.version_option(__version__, message="migration-sidecar %(version)s")(
    Group(
        "sidecar",
        help="Lets traffic reach a Django app only after its database schema is current.",
        epilog=f"`sidecar COMMAND --help` shows a command's options. Exit codes: {EXIT_CODES}.",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
)


def run(arguments: list[str]) -> int:
    """Run a command; return its exit code. Raises SidecarError."""
    try:
        with GROUP.make_context("sidecar", arguments) as ctx:
            code: int = GROUP.invoke(ctx)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.UsageError as error:
        raise UsageError(_describe(error)) from None
    return code


def _describe(error: click.UsageError) -> str:
    """Return click's complaint as one line that repeats no value."""
    ctx = error.ctx
    place = f"{ctx.info_name}: " if ctx is not None and ctx.parent is not None else ""
    if isinstance(error, click.NoSuchOption) and ctx is not None:
        flags = [flag for option in ctx.command.get_params(ctx) for flag in option.opts]
        name = error.option_name
        text = f"unknown argument {describe_argument(name)}{did_you_mean(name, flags)}"
    else:
        message = error.format_message()
        text = message[:1].lower() + message[1:].rstrip(".")
    return f"{place}{text} (see {ctx.command_path if ctx else 'sidecar'} --help)"
