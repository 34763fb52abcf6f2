"""What the shell offers to complete an argument with.

zsh evaluates what is offered, and names of files and cases come from other people: only plain ones
are offered.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Final

import typer

from harness import integrations
from harness.diagnosis.catalogue import people
from harness.errors import HarnessError
from harness.report.run_directory import read_planned
from harness.run.cli.app import Repeated
from harness.run.plugin.worlds import list_faults
from harness.support import resources

_PLAIN: Final = re.compile(r"[\w./:@+\[\]-]+", re.ASCII)


def _begun(incomplete: str, names: Iterable[object]) -> list[str]:
    found = dict.fromkeys(map(str, names))
    return [name for name in found if name.startswith(incomplete) and _PLAIN.fullmatch(name)]


def deployment_files(incomplete: str) -> list[str]:
    """The examples, and the TOML files and directories here."""
    here = sorted(glob.glob(f"{glob.escape(incomplete)}*"))
    files = [path for path in here if path.endswith(".toml")]
    directories = [f"{path}/" for path in here if os.path.isdir(path)]
    return _begun(incomplete, [*resources.examples(), *files, *directories])


def example_names(incomplete: str) -> list[str]:
    """The examples and templates."""
    directories = [path for path in resources.TEMPLATES.iterdir() if path.is_dir()]
    templates = sorted(path.name for path in directories)
    return _begun(incomplete, [*resources.examples(), *templates])


def integration_names(incomplete: str) -> list[str]:
    """The integrations."""
    return _begun(incomplete, integrations.names())


def row_ids(incomplete: str) -> list[str]:
    """The rows of all integrations."""
    ids = []
    for one in integrations.loadable():
        ids += [row.id for row in one.rows]
    return _begun(incomplete, sorted(ids))


def fault_names(incomplete: str) -> list[str]:
    """The faults; empty if the simulated world cannot list them."""
    try:
        return _begun(incomplete, sorted(fault["name"] for fault in list_faults()))
    except HarnessError:
        return []


def owner_names(incomplete: str) -> list[str]:
    """Who can be asked about a cause."""
    return _begun(incomplete, (person.name.replace(" ", "-") for person in people()))


def case_ids(ctx: typer.Context, incomplete: str) -> list[str]:
    """The cases of the run that the command line names first."""
    # behind an option that still has no value, no argument is parsed
    given = [ctx.params.get("result"), *(ctx.params.get("runs") or ctx.args)]
    run = next(filter(None, given), None)
    if run is None:
        return []
    try:
        planned, _ = read_planned(Path(str(run)))
    except (HarnessError, OSError):
        return []
    return _begun(incomplete, (case["id"] for case in planned))


def bundled_cases(ctx: typer.Context, incomplete: str) -> list[str]:
    """The same, and ``all``."""
    return [*_begun(incomplete, ["all"]), *case_ids(ctx, incomplete)]


# -- arguments and options of several commands that are completed

DeploymentFiles = Annotated[
    list[Path],
    typer.Argument(metavar="FILE…", help="Deployment files.", autocompletion=deployment_files),
]

Fault = Annotated[
    Repeated,
    typer.Option(
        metavar="NAME[@LINE]",
        help="Inject this fault (repeatable).",
        autocompletion=fault_names,
    ),
]
