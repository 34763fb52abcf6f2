"""``harness rows``, ``faults`` and ``examples``: what there is to verify, what can be made wrong,
and files to copy.
"""

from __future__ import annotations

import re
import shutil
import textwrap
from collections.abc import Iterable, Iterator
from itertools import groupby, takewhile
from pathlib import Path
from typing import Annotated

import typer
from typing_extensions import TypedDict

from harness import integrations
from harness.deployment.file import read
from harness.errors import MistakeError, writing
from harness.integrations.base import Row
from harness.run.cli.app import AsJson, echo_json
from harness.run.cli.completion import example_names, integration_names
from harness.run.plugin.worlds import FaultDocument, list_faults
from harness.support import resources
from harness.support.files import user_files
from harness.support.model_words import nearest

_NAME, _EXAMPLE = 32, 24
_WIDEST = 136


class RowDocument(TypedDict):
    """One row, as ``harness rows --json`` lists it."""

    integration: str
    row: str
    title: str
    proves: str
    source: str


def rows(
    integration: Annotated[
        str,
        typer.Argument(
            metavar="[NAME]",
            help="Only this integration's rows.",
            autocompletion=integration_names,
        ),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """List the rows of the matrix, and where each comes from."""
    names = [integration] if integration else integrations.names()
    found: list[tuple[str, Row]] = []
    for name in names:
        found += [(name, row) for row in integrations.find(name).rows]
    if as_json:
        plain: list[RowDocument] = [
            {
                "integration": name,
                "row": row.id,
                "title": row.title,
                "proves": row.proves,
                "source": row.source,
            }
            for name, row in found
        ]
        echo_json(plain)
        return
    for name, members in groupby(found, key=lambda member: member[0]):
        _list(name, ((row.id, f"{row.title} ({row.source})") for _, row in members))


def faults(
    as_json: AsJson = False,
) -> None:
    """List what --fault takes, and how each fault shows."""
    found = list_faults()
    if as_json:
        echo_json(found)
        return
    for issue, members in groupby(found, key=lambda fault: fault["issue"]):
        _list(issue, ((fault["name"], _fault(fault)) for fault in members))


def _fault(fault: FaultDocument) -> str:
    only = fault["integrations"]
    notes = []
    if len(only) == 1:
        notes.append(f"{only[0]} only")
    if not fault["per_line"]:
        notes.append("not @LINE")
    return f"{fault['shows']} ({', '.join(notes)})" if notes else fault["shows"]


def _list(heading: str, entries: Iterable[tuple[str, str]]) -> None:
    typer.secho(heading, bold=True)
    width = min(shutil.get_terminal_size().columns, _WIDEST)
    for name, words in entries:
        first = f"  {name:<{_NAME - 3}} "
        typer.echo(textwrap.fill(words, width, initial_indent=first, subsequent_indent=" " * _NAME))


def examples(
    name: Annotated[
        str,
        typer.Argument(
            metavar="[NAME]",
            help="Copy this one; without a name they are listed.",
            autocompletion=example_names,
        ),
    ] = "",
    directory: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="Where the copy goes.")
    ] = Path(),
) -> None:
    """List or copy the example deployments, and the templates for machines, containers and CI.

    An example may be named wherever a deployment file is asked for: `harness verify
    simulated-gladly`.
    """
    known = dict(_known())
    if not name:
        for each, path in known.items():
            typer.echo(f"  {each:<{_EXAMPLE}} {_about(path)}")
        return
    if name not in known:
        raise MistakeError(
            f"{name}: no such example{nearest(name, known)}; allowed: {', '.join(known)}"
        )
    for source, target in _copies(known[name], directory):
        if target.exists():
            raise MistakeError(f"{target}: exists already; allowed: another directory")
        with writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        typer.echo(str(target))


def _known() -> Iterator[tuple[str, Path]]:
    """Deployment files by name, and a directory for each kind of template."""
    yield from resources.examples().items()
    for path in sorted(resources.TEMPLATES.iterdir()):
        if path.is_dir():
            yield path.name, path


def _about(path: Path) -> str:
    """The first sentence of a deployment file's comment; of a template, its files."""
    if path.is_dir():
        return "templates: " + ", ".join(str(file.relative_to(path)) for file in _files(path))
    lines = user_files.read_text(path, user_files.SETTINGS).splitlines()
    first_lines = takewhile(lambda line: line.startswith("#"), lines)
    comment = " ".join(line.lstrip("# ") for line in first_lines)
    return re.split(r"(?<=[.:]) ", comment)[0].rstrip(".:")


def _files(directory: Path) -> list[Path]:
    return sorted(file for file in directory.rglob("*") if file.is_file())


def _copies(path: Path, directory: Path) -> Iterator[tuple[Path, Path]]:
    """(source, target) for each file: a deployment with its numbers, or a template's files."""
    if path.is_dir():
        for file in _files(path):
            yield file, directory / path.name / file.relative_to(path)
        return
    yield path, directory / path.name
    numbers = read(path).get("numbers_csv")
    if isinstance(numbers, str):
        yield path.with_name(numbers), directory / numbers
