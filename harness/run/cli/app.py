"""``harness``: its commands, and the exit codes they share.

====  ==================================================================
0     all passed
1     something failed, or could not be observed
2     invalid input or configuration: a line for each says where, what, and what is allowed
3     the harness or its environment broke, so nothing is known
4     ``harness signoff verify`` only: the sign-off is authentic, and not accepted
130   interrupted; what was found so far is kept
====  ==================================================================
"""

from __future__ import annotations

import os
import re
import signal
import sys
from importlib import import_module, metadata
from pathlib import Path
from typing import Annotated, Any, NoReturn, cast

import typer

from harness.errors import (
    HarnessError,
    MistakeError,
    ResourceError,
    is_of_the_machine,
    is_of_the_path,
)
from harness.run.cli import startup
from harness.run.cli.help import COMMANDS, JOURNEY, Command, Entry, Group, epilog, panel
from harness.support.files import json_file
from harness.support.forkserver import allow_open_files
from harness.support.memory import lasting
from harness.support.network_text import printable
from harness.support.terminal import escape_unencodable, print_errors

PASSED, FAILED, MISTAKE, BROKEN, NOT_ACCEPTED, INTERRUPTED = 0, 1, 2, startup.BROKEN, 4, 130

#: The start of ``tempfile``'s message on a read-only file system; it names no file.
_NO_PLACE = "No usable temporary directory"
#: A mistake in the command line: click's class, of which typer may have a copy.
_UsageError = cast("type[Exception]", typer.BadParameter.__base__)

_HELP = """Proves, call by call, that a contact centre hands its calls to an AI voice agent and back.

Exit codes: 0 all passed, 1 something failed or could not be observed, 2 invalid input or configuration, 3 the harness broke,
130 interrupted."""


#: Of an option that may be given several times.
Repeated = list[str] | None

#: The option of all commands that place calls; ``harness.run.plugin.options`` reads the variable.
Live = Annotated[
    bool,
    typer.Option("--live", help="Call real platforms, which may cost money (or HARNESS_LIVE=1)."),
]

#: The option of commands that print for people unless it is given.
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON only.")]

#: The argument of commands that take one run.
RunDirectory = Annotated[
    Path, typer.Argument(metavar="RUN", help="A run's directory, e.g. reports/latest.")
]

#: The option of all commands that read deployment files (``harness.deployment.grants``).
Grant = Annotated[
    Repeated,
    typer.Option(
        "--grant",
        metavar="WHAT",
        help="Grant env=NAME, host=HOST, path=DIR or command (repeatable).",
    ),
]


def application(asked: str = "") -> typer.Typer:
    """The command line; with only the command ``asked`` for, if it exists: importing all of them
    takes a second.
    """
    app = typer.Typer(
        name="harness",
        cls=Group,
        help=_HELP,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(help=_HELP)(_options)
    for part, commands in JOURNEY.items():
        for name, entry in commands.items():
            if asked not in COMMANDS or name == asked:
                _add(app, name, entry, part)
    return app


def _add(app: typer.Typer, name: str, entry: Entry, part: str) -> None:
    module, _, attribute = entry.where.partition(":")
    command = getattr(import_module(f"harness.run.cli.{module}"), attribute)
    shown: Any = {"rich_help_panel": panel(part), "epilog": epilog(entry.example)}
    if isinstance(command, typer.Typer):
        app.add_typer(command, name=name, **shown)
    else:
        app.command(name, cls=Command, **shown)(command)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"harness {metadata.version('call-verification-harness')}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version, and end."
        ),
    ] = False,
) -> None:
    """Options before a command. Without this callback Typer would drop the command's name if there
    were only one.
    """


def echo(text: str) -> None:
    """Print a line in which there may be words of others."""
    typer.echo(printable(text))


def echo_json(document: object) -> None:
    """Print a document."""
    typer.echo(json_file.text(document))


def end_as_by_ctrl_c() -> None:
    """SIGTERM from now on ends the command in order, as Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def main() -> None:
    """The entry point. Mistakes and failures of the environment are printed as lines, never as a
    traceback.
    """
    allow_open_files()
    os.umask(0o077)  # whatever is written holds numbers: evidence, recordings, deployment files
    escape_unencodable(sys.stdout)
    for name in ("COLUMNS", "LINES"):  # rich takes any digits for a size
        if not re.fullmatch("[1-9][0-9]{0,3}", os.environ.get(name, "80")):
            del os.environ[name]
    try:
        _require_directory()
        with lasting():
            run = application(*sys.argv[1:2])
        # standalone, typer prints boxes and has its own exit codes
        sys.exit(startup.exit_code(run(standalone_mode=False, prog_name="harness") or PASSED))
    except typer.Abort:  # at a question
        sys.exit(INTERRUPTED)
    except _UsageError as error:
        _say_usage(error)
        sys.exit(MISTAKE)
    except HarnessError as error:
        _end(error)
    except OSError as error:
        _end(_explained(error))
    except Exception as error:
        startup.end(error)


def _end(error: HarnessError) -> NoReturn:
    _say(error)
    sys.exit(MISTAKE if isinstance(error, MistakeError) else BROKEN)


def _explained(error: OSError) -> HarnessError:
    """The user's or the machine's error; exits with a fault of the harness if it is neither."""
    said = ": ".join(str(part) for part in (error.filename, error.strerror) if part)
    if is_of_the_machine(error):
        return ResourceError(said)
    if said.startswith(_NO_PLACE):
        return ResourceError(f"{said}; allowed: one that can be written to, which TMPDIR may name")
    if is_of_the_path(error) and _is_the_users(error.filename):
        return MistakeError(f"{said}; allowed: another path")
    startup.end(error)


def _require_directory() -> None:
    """Raise :class:`MistakeError` where the current directory is gone, or cannot be read."""
    allowed = "allowed: a current directory that exists and can be read"
    try:
        here = Path.cwd()
    except OSError as error:
        raise MistakeError(f"the current directory: {error.strerror}; {allowed}") from None
    if not os.access(here, os.R_OK | os.X_OK):
        raise MistakeError(f"{here}: cannot be read; {allowed}")


def _say_usage(error: Any) -> None:
    if (
        not error.format_message() or "\n\n" in error.format_message()
    ):  # no command was given: typer lists them
        error.show()
        return
    said = " ".join(error.format_message().replace("Value error, ", "").split()).rstrip(".")
    where = error.ctx.command_path if error.ctx else "harness"
    _say(MistakeError(f"{said}; allowed: what `{where} --help` says"))


def _is_the_users(file: Any) -> bool:
    """Whether a path is below the current directory or below a path that the command line names."""
    if not isinstance(file, str):
        return False
    named = [argument.partition("=")[2] or argument for argument in sys.argv[1:]]
    roots = [Path.cwd(), *(Path(name).absolute() for name in named)]
    return any(Path(file).absolute().is_relative_to(place) for place in roots)


def _say(error: Exception) -> None:
    text = str(error)
    for word in sys.argv:  # a line break in an argument starts no new line
        text = text.replace(word, word.replace("\n", "\\n"))
    print_errors(text)
