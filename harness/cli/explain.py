"""``harness explain``: why a case failed, with everything the answer rests on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from harness.diagnosis import Diagnosis
from harness.diagnosis.explain import explain as explained
from harness.errors import MistakeError
from harness.report.evidence import CaseEvidence
from harness.report.recorder import CASE
from harness.terminal import printable

_MOST_SUGGESTED = 3


def explain(
    result: Annotated[
        Path, typer.Argument(metavar="RESULT", help="A case's directory, or a run's (reports/latest) with a case's id.")
    ],
    case: Annotated[
        str, typer.Argument(metavar="[CASE]", help="The case's id, or a part of it that only it has.")
    ] = "",
) -> None:
    """Print the whole reasoning for one case."""
    directory = _find(result, case)
    evidence = CaseEvidence.read(directory)
    plain = json.loads((directory / CASE).read_text(encoding="utf-8"))
    diagnosis = (plain.get("end") or {}).get("diagnosis")
    text = explained(
        evidence.case,
        evidence.verdict,
        evidence.findings,
        [(message.number, message.event) for message in evidence.messages],
        Diagnosis.from_plain(diagnosis) if diagnosis else None,
        evidence.began,
    )
    typer.echo(printable(text))


def _find(result: Path, case: str) -> Path:
    """The case's directory. Raises :class:`MistakeError` that names what there is."""
    if (result / CASE).is_file():
        return result
    if not result.exists() and not case:  # reports/latest/ID
        result, case = result.parent, result.name
    if not (result / "cases").is_dir():
        wrong = "no such directory" if not result.exists() else "not the directory of a run or of a case"
        raise MistakeError(
            f"{result}: {wrong}; allowed: a case's directory, or a run's (reports/latest) and a case's id"
        )
    found = {str(_id(path)): path.parent for path in sorted((result / "cases").glob(f"*/{CASE}"))}
    if not found:
        raise MistakeError(f"{result}: no case has left evidence there; allowed: another run's directory")
    matching = [path for name, path in found.items() if case == name or case == path.name]
    matching = matching or [path for name, path in found.items() if case in name or case in path.name]
    if len(matching) == 1:
        return matching[0]
    names = sorted(name for name, path in found.items() if not matching or path in matching)
    shown = ", ".join(names[:_MOST_SUGGESTED])
    if len(names) > _MOST_SUGGESTED:
        shown += f" and {len(names) - _MOST_SUGGESTED} more"
    what = f"no case of this run is called {case!r}" if not matching else "more than one case is meant"
    raise MistakeError(f"{result}: {what}; allowed: one of {shown}")


def _id(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8")).get("id", path.parent.name)
    except ValueError:
        return path.parent.name


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(explain)
