"""``harness rows`` and ``harness faults``: what there is to verify, and how a simulated deployment can be made wrong."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable
from itertools import groupby
from typing import Annotated

import typer
from typing_extensions import TypedDict

from harness import integrations
from harness.errors import HarnessError
from harness.run.plugin.worlds import FaultDocument, list_faults
from harness.support.files import json_file

_NAME = 32
_WIDEST = 136


class RowDocument(TypedDict):
    """One row, as ``harness rows --json`` lists it."""

    integration: str
    row: str
    title: str
    proves: str
    source: str


def rows(
    integration: Annotated[str, typer.Argument(metavar="[NAME]", help="Only this integration's rows.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False,
) -> None:
    """List the rows of the matrix, and where each comes from."""
    names = [integration] if integration else integrations.names()
    found = [(name, row) for name in names for row in integrations.find(name).rows]
    if as_json:
        plain: list[RowDocument] = [
            {"integration": name, "row": row.id, "title": row.title, "proves": row.proves, "source": row.source}
            for name, row in found
        ]
        typer.echo(json_file.text(plain))
        return
    for name, members in groupby(found, key=lambda member: member[0]):
        _list(name, ((row.id, f"{row.title} ({row.source})") for _, row in members))


def faults(as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False) -> None:
    """List what --fault takes, and how each fault shows."""
    found = list_faults()
    if as_json:
        typer.echo(json_file.text(found))
        return
    for issue, members in groupby(found, key=lambda fault: fault["issue"]):
        _list(issue, ((fault["name"], _fault(fault)) for fault in members))


def _fault(fault: FaultDocument) -> str:
    only = fault["integrations"]
    notes = [f"{only[0]} only"] if len(only) == 1 else []
    notes += [] if fault["per_line"] else ["not @LINE"]
    return fault["shows"] + (f" ({', '.join(notes)})" if notes else "")


def _list(heading: str, entries: Iterable[tuple[str, str]]) -> None:
    typer.secho(heading, bold=True)
    width = min(shutil.get_terminal_size().columns, _WIDEST)
    for name, words in entries:
        first = f"  {name:<{_NAME - 3}} "
        typer.echo(textwrap.fill(words, width, initial_indent=first, subsequent_indent=" " * _NAME))


# -- what a shell completes


def row_ids(incomplete: str) -> list[str]:
    """The rows that begin so."""
    rows = {row.id for one in integrations.loadable() for row in one.rows}
    return sorted(row for row in rows if row.startswith(incomplete))


def fault_names(incomplete: str) -> list[str]:
    """The faults that begin so; none where the simulated world cannot say which there are."""
    try:
        found = list_faults()
    except HarnessError:
        return []
    return sorted(name for fault in found if (name := str(fault["name"])).startswith(incomplete))
