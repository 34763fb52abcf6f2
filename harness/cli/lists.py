"""``harness rows`` and ``harness faults``: what there is to verify, and how a simulated deployment can be made wrong."""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Iterable
from itertools import groupby
from typing import Annotated

import typer

from harness import integrations
from harness.pytest_plugin.worlds import list_faults

_NAME = 32
_WIDEST = 136


def rows(
    integration: Annotated[str, typer.Argument(metavar="[NAME]", help="Only this integration's rows.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False,
) -> None:
    """List the rows of the matrix, and where each comes from."""
    names = [integration] if integration else integrations.names()
    found = [(name, row) for name in names for row in integrations.find(name).rows]
    if as_json:
        plain = [
            {"integration": name, "row": row.id, "title": row.title, "proves": row.proves, "source": row.source}
            for name, row in found
        ]
        typer.echo(json.dumps(plain, indent=1))
        return
    for name, members in groupby(found, key=lambda member: member[0]):
        _list(name, ((row.id, f"{row.title} ({row.source})") for _, row in members))


def faults(as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False) -> None:
    """List what --fault takes, and how each fault shows."""
    found = list_faults()
    if as_json:
        typer.echo(json.dumps(found, indent=1))
        return
    for issue, members in groupby(found, key=lambda fault: str(fault["issue"])):
        _list(issue, ((str(fault["name"]), _fault(fault)) for fault in members))


def _fault(fault: dict[str, object]) -> str:
    only = fault["integrations"]
    notes = [f"{only[0]} only"] if isinstance(only, list) and len(only) == 1 else []
    notes += [] if fault["per_line"] else ["not @LINE"]
    return str(fault["shows"]) + (f" ({', '.join(notes)})" if notes else "")


def _list(heading: str, entries: Iterable[tuple[str, str]]) -> None:
    typer.secho(heading, bold=True)
    width = min(shutil.get_terminal_size().columns, _WIDEST)
    for name, words in entries:
        first = f"  {name:<{_NAME - 3}} "
        typer.echo(textwrap.fill(words, width, initial_indent=first, subsequent_indent=" " * _NAME))


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(rows)
    app.command()(faults)
