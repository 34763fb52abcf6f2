"""``harness compare``: what is new between two runs."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from harness.errors import MistakeError
from harness.report.history import runs_of
from harness.report.nightly.compare import Difference, compare, lines, markdown
from harness.report.run_directory import RunEvidence, require_ended, require_run
from harness.run.cli.app import FAILED, PASSED
from harness.support.files import json_file
from harness.support.terminal import SafeConsole

_NAME, _WIDEST = 20, 120
_STYLES = {
    "newly failing": "red",
    "row lost": "red",
    "not run any more": "red",
    "cannot be compared": "magenta",
    "fixed": "green",
}


def run(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="A run's directory.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="A later run's directory.")],
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="As a Markdown table.")] = False,
) -> None:
    """What fails anew, is fixed, flaky, slower or lost. Exit code 1 if there is news."""
    if as_json and as_markdown:
        raise MistakeError("--json and --markdown: two forms of one page; allowed: one of them")
    for directory in (old, new):
        require_run(directory)
        require_ended(directory.resolve())
    before, after = (runs_of(RunEvidence.read(directory.resolve())) for directory in (old, new))
    differences = compare(before, after)
    if as_json:
        typer.echo(json_file.text(differences))
    elif as_markdown:
        typer.echo(markdown(differences), nl=False)
    else:
        console = SafeConsole(highlight=False)
        for one in differences:
            _show(console, one)
    raise typer.Exit(FAILED if any(one.news for one in differences) else PASSED)


def _show(console: SafeConsole, difference: Difference) -> None:
    console.print(f"{difference.deployment}: {difference.old or '–'} → {difference.new or '–'}", markup=False)
    found = list(lines(difference))
    for what, case, why in found:
        # a case's name is to be copied: never broken
        console.print(Text.assemble((f"  {what:<{_NAME}}", _STYLES.get(what, "yellow")), case), soft_wrap=True)
        for line in textwrap.wrap(why, min(console.width, _WIDEST) - _NAME - 2):
            console.print(Text(" " * (_NAME + 2) + line))
    if not found:
        console.print("  no difference")
