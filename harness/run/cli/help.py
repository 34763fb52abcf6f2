"""What ``--help`` shows: commands by the user's journey, each with an example; arguments as they are
typed.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption


class Entry(NamedTuple):
    """A command of ``harness``."""

    where: str  #: module and attribute: a function, or a group of commands
    example: str


#: The journey, and the commands of each part of it.
JOURNEY: Final = {
    "Set up": {
        "init": Entry("init:init", "harness init acme.toml"),
        "examples": Entry("lists:examples", "harness examples simulated-gladly ."),
        "preflight": Entry("init:preflight", "harness preflight acme.toml"),
        "rows": Entry("lists:rows", "harness rows talkdesk"),
        "faults": Entry("lists:faults", "harness faults"),
    },
    "Run": {
        "verify": Entry("verify:verify", "harness verify simulated-talkdesk --transport tls"),
        "simulate": Entry("simulate:simulate", "harness simulate simulated-talkdesk"),
        "call": Entry("call:call", "harness call simulated-talkdesk +13125550100"),
        "load": Entry("call:load", "harness load simulated-talkdesk --calls 3 --for 30"),
    },
    "Read": {
        "open": Entry("open:open_run", "harness open reports/latest"),
        "explain": Entry("explain:explain", "harness explain reports/latest CASE"),
        "report": Entry("report:report", "harness report reports/latest --zip all"),
        "compare": Entry("nightly:compare_runs", "harness compare reports/OLD reports/latest"),
        "listen": Entry("listen:listen", "harness listen call.wav"),
        "witness": Entry("witness:witness", "harness witness reports/latest recordings"),
    },
    "Sign": {
        "signoff": Entry("report:signoff_app", "harness signoff reports/latest --key key.pem"),
    },
    "Operate": {
        "nightly": Entry("nightly:nightly_app", "harness nightly acme.toml"),
        "fleet": Entry("fleet:fleet_app", "harness fleet run fleet.toml"),
    },
}
COMMANDS: Final = {name: entry for part in JOURNEY.values() for name, entry in part.items()}


#: How typer shows a type, and what is shown instead.
_TYPES: Final = {"<str>": "TEXT", "<int range>": "N", "<float range>": "N"}


def panel(part: str) -> str:
    """The heading of a part of the journey, with the example of its first command."""
    first, *_ = JOURNEY[part].values()
    return f"{part}: {first.example}"


def epilog(example: str) -> str:
    """The text below a command's options."""
    return f"Example: {example}"


class _Plain:
    """Paragraphs without line breaks, flags without a type, and arguments by their names alone."""

    help: str | None
    short_help: str | None

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        paragraphs = inspect.cleandoc(self.help or "").split("\n\n")
        self.help = "\n\n".join(" ".join(one.split()) for one in paragraphs)
        self.short_help = re.split(r"(?<=[.]) ", self.help)[0]

    def get_params(self, ctx: Any) -> list[Any]:
        found: list[Any] = super().get_params(ctx)  # type: ignore[misc]  # click's, in the classes below
        for one in found:
            if isinstance(one, TyperArgument):
                one.display_type_rich = lambda ctx: None  # type: ignore[method-assign]
            elif isinstance(one, TyperOption) and one.metavar is None:
                one.metavar = "" if one.is_flag else _TYPES.get(one.display_type(ctx))
        return found

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        pieces = ["[OPTIONS]"]
        for one in self.get_params(ctx):
            if isinstance(one, TyperArgument):
                pieces.append(one.metavar or str(one.name).upper())
        return pieces


class Command(_Plain, TyperCommand):
    """A command."""


class Group(_Plain, TyperGroup):
    """Several commands, in the order of the journey."""

    def list_commands(self, ctx: Any) -> list[str]:
        if ctx.parent is None:
            return [name for name in COMMANDS if name in self.commands]
        return list(self.commands)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return [*super().collect_usage_pieces(ctx), "COMMAND [ARGS]…"]


def group(kind: type[Group], text: str, **commands: tuple[Callable[..., None], str]) -> typer.Typer:
    """Several commands, by name, each with its example."""
    app = typer.Typer(cls=kind, no_args_is_help=True, help=text)
    for name, (command, example) in commands.items():
        app.command(name, cls=Command, epilog=epilog(example))(command)
    return app


class DefaultGroup(Group):
    """A group whose first command runs where none is named: a file or a directory is no command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            default = next(iter(self.commands))
            args = [default, *args]
        return super().parse_args(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """The commands, then the options of each."""
        super().format_help(ctx, formatter)
        for name, command in self.commands.items():
            context = command.context_class(command, info_name=name, parent=ctx)
            command.format_help(context, formatter)
