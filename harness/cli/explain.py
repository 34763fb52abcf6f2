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

_MOST_SUGGESTED = 8


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
    typer.echo(text)


def _find(result: Path, case: str) -> Path:
    """The case's directory. Raises :class:`MistakeError` that names what there is."""
    if (result / CASE).is_file():
        return result
    if not result.exists() and result.parent.is_dir() and not case:  # reports/latest/ID
        result, case = result.parent, result.name
    found = {str(_id(path)): path.parent for path in sorted((result / "cases").glob(f"*/{CASE}"))}
    if not found:
        raise MistakeError(f"{result}: no case's evidence; allowed: a case's directory, or a run's and a case's id")
    matching = [path for name, path in found.items() if case == name or case == path.name]
    matching = matching or [path for name, path in found.items() if case in name or case in path.name]
    if len(matching) == 1:
        return matching[0]
    names = sorted(name for name, path in found.items() if not matching or path in matching)
    shown = ", ".join(names[:_MOST_SUGGESTED]) + (
        f" and {len(names) - _MOST_SUGGESTED} more" * (len(names) > _MOST_SUGGESTED)
    )
    what = f"{case!r} is no case of {result}" if case and not matching else "more than one case is meant"
    raise MistakeError(f"{what}; allowed: one of {shown}")


def _id(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8")).get("id", path.parent.name)
    except ValueError:
        return path.parent.name


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(explain)
