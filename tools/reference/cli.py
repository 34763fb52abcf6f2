"""``docs/cli.md``: every command with its arguments and options, as ``--help`` has them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from harness.run.cli.app import application
from harness.run.cli.help import COMMANDS
from tools import ROOT

PAGE = ROOT / "docs" / "cli.md"

_HEAD = """# The command line

Made by `python -m tools.reference` from `harness COMMAND --help`; do not edit it. `harness --version` prints the version.
`harness --install-completion` installs shell completion.

| exit code | meaning |
|---|---|
| 0 | all passed |
| 1 | something failed, or could not be observed |
| 2 | invalid input or configuration: one line for each mistake |
| 3 | the harness or its environment broke, and nothing failed |
| 130 | interrupted; findings so far are kept |

| variable | for |
|---|---|
| `HARNESS_LIVE=1` | the same as `--live` |
| `HARNESS_GRANT` | words as of `--grant`, but `command` |
| `HARNESS_SITE` | the site, instead of the file's `site` |
| `HARNESS_AS_OF` | the moment a plan is made for (ISO 8601 with its offset); calls keep to the hours as they are now |
| `HARNESS_ALERTS` | where `nightly` sends [alerts](nightly.md#alerts) |
| `HARNESS_FLEET_REDIS` | a fleet's Redis |
| `NO_COLOR` | no colours on the terminal |
| `GITHUB_ACTIONS=true` | GitHub's: each cause becomes an annotation |

Passwords and tokens are in the variables that the deployment file names. Each command that reads one takes `--grant WHAT`, repeatable:
`env=NAME`, `host=HOST`, `path=DIR` or `command` ([security](security.md#a-file-from-somebody-else)).
"""
#: An option of so many commands that the page says it once.
_SAID_ABOVE = "--grant"
#: What an option says of its bounds, between its default and whether it is required.
_RANGE = re.compile(r"\[(?:(default: [^;\]]+); )?x>=[\d.]+(; (required))?\]")


def page() -> str:
    """The page."""
    root = typer.main.get_command(application())
    assert isinstance(root, TyperGroup)
    return _HEAD + "".join(
        f"\n{line}\n" for name, command in _commands(root) for line in _section(name, command)
    )


def _commands(group: TyperGroup, prefix: str = "harness") -> Iterator[tuple[str, TyperCommand]]:
    """Every command that does something, by its whole name."""
    names = (
        (name for name in COMMANDS if name in group.commands)
        if prefix == "harness"
        else group.commands
    )
    for name in names:
        command = group.commands[name]
        if isinstance(command, TyperGroup):
            yield from _commands(command, f"{prefix} {name}")
        else:
            assert isinstance(command, TyperCommand)
            yield f"{prefix} {name}", command


def _section(name: str, command: TyperCommand) -> Iterator[str]:
    yield f"## `{name}`"
    yield command.help or ""
    yield str(command.epilog).replace("Example: ", "    ")
    context = typer.Context(command, info_name=name)
    told = [
        row
        for one in command.get_params(context)
        if one.name != "help" and (row := _row(one, context))
    ]
    if told:
        yield "\n".join(told)


def _metavar(argument: TyperArgument) -> str:
    return argument.metavar or str(argument.name).upper()


def _row(parameter: object, context: typer.Context) -> str:
    assert isinstance(parameter, TyperArgument | TyperOption)
    record = parameter.get_help_record(context)
    if parameter.hidden or record is None or _SAID_ABOVE in parameter.opts:
        return ""
    names, meaning = record
    if isinstance(parameter, TyperArgument):
        names, meaning = (
            _metavar(parameter),
            meaning.removesuffix("[required]"),
        )  # brackets show what is optional
    return f"- `{_words(names)}`: {_words(_RANGE.sub(_without_range, meaning))}"


def _without_range(match: re.Match[str]) -> str:
    return f"[{match[1] or match[3]}]" if match[1] or match[3] else ""


def _words(text: str) -> str:
    return " ".join(text.split())
