"""``harness examples``: the deployment files and templates that come with the package, to look at and to copy."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Annotated

import typer

from harness.deployment.file import read
from harness.errors import MistakeError, unwritable
from harness.support import resources
from harness.support.files import user_files

_NAME = 24


def examples(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="Copy this one; without a name they are listed.")] = "",
    directory: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where the copy goes.")] = Path(),
) -> None:
    """List or copy the example deployments, and the templates for machines, containers and CI.

    An example may be named wherever a deployment file is asked for: `harness verify simulated-gladly`.
    """
    known = dict(_known())
    if not name:
        for each, path in known.items():
            typer.echo(f"  {each:<{_NAME}} {_about(path)}")
        return
    if name not in known:
        raise MistakeError(f"{name}: no such example; allowed: {', '.join(known)}")
    for source, target in _copies(known[name], directory):
        if target.exists():
            raise MistakeError(f"{target}: exists already; allowed: another directory")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        except OSError as error:
            raise unwritable(target, error) from error
        typer.echo(str(target))


def _known() -> Iterator[tuple[str, Path]]:
    """Deployment files by name, and a directory for each kind of template."""
    yield from resources.examples().items()
    yield from ((path.name, path) for path in sorted(resources.TEMPLATES.iterdir()) if path.is_dir())


def _about(path: Path) -> str:
    """The first sentence of a deployment file's comment; of a template, its files."""
    if path.is_dir():
        return "templates: " + ", ".join(str(file.relative_to(path)) for file in _files(path))
    lines = user_files.read_text(path, user_files.SETTINGS).splitlines()
    comment = " ".join(line.lstrip("# ") for line in takewhile(lambda line: line.startswith("#"), lines))
    return re.split(r"(?<=[.:]) ", comment)[0].rstrip(".:")


def _files(directory: Path) -> list[Path]:
    return sorted(file for file in directory.rglob("*") if file.is_file())


def _copies(path: Path, directory: Path) -> Iterator[tuple[Path, Path]]:
    """Each file, and what it is to be called: a deployment goes with its numbers, a template by itself."""
    if path.is_dir():
        yield from ((file, directory / path.name / file.relative_to(path)) for file in _files(path))
        return
    yield path, directory / path.name
    if isinstance(numbers := read(path).get("numbers_csv"), str):
        yield path.with_name(numbers), directory / numbers
