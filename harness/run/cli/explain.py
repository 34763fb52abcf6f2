"""``harness explain``: why a case failed, and the evidence for the answer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from harness.case.log import CASE
from harness.case.verdict import Verdict
from harness.diagnosis import Diagnosis
from harness.diagnosis.result import explain as explained
from harness.errors import MistakeError
from harness.report.evidence import CaseEvidence, latest
from harness.report.run_directory import read_planned, require_ended, require_files
from harness.run.cli.app import echo
from harness.run.cli.completion import case_ids
from harness.support.files import json_file
from harness.support.model_words import nearest

_MOST_SUGGESTED = 3


def explain(
    result: Annotated[
        Path,
        typer.Argument(
            metavar="RESULT",
            help="A case's directory, or a run's (reports/latest) with a case's id.",
        ),
    ],
    case: Annotated[
        str,
        typer.Argument(
            metavar="[CASE]",
            help="The case's id, or a part of it that only one case, or one failed case, has.",
            autocompletion=case_ids,
        ),
    ] = "",
    everything: Annotated[
        bool,
        typer.Option(
            "--all", help="Show every check, message, known fact, and rule that was ruled out."
        ),
    ] = False,
) -> None:
    """Print the reasoning for one case: what decided, in 40 lines at most."""
    evidence = _find(result, case)
    directory = evidence.directory
    if not evidence.closed:
        require_ended(directory.resolve().parents[1])
    # The evidence has the end with what files have added; case.json has the end of the run.
    end = evidence.case.get("end") or {}
    recorded = end.get("diagnosis") if evidence.verdict is Verdict.FAILED else None
    try:
        diagnosis = Diagnosis.from_plain(recorded) if recorded else None
    except (KeyError, TypeError):
        why = "its diagnosis is not of this version of the harness, which can explain none other; the report shows it"
        raise MistakeError(f"{directory / CASE}: {why}; allowed: a case of this version") from None
    text = explained(
        evidence.case,
        evidence.verdict,
        evidence.findings,
        [(message.number, message.event) for message in evidence.messages],
        diagnosis,
        evidence.began,
        evidence.message,
        whole=everything,
    )
    echo(text)


def _find(result: Path, case: str) -> CaseEvidence:
    """The case's evidence. Raises :class:`MistakeError` that names what there is."""
    if (result / CASE).is_file():
        require_files(result.resolve())
        return CaseEvidence.read(result)
    if not (result / "cases").is_dir():
        wrong = "not the directory of a run or of a case"
        if not result.exists():
            wrong = "no such directory"
        raise MistakeError(
            f"{result}: {wrong}; allowed: a case's directory, or a run's (reports/latest) and a case's id"
        )
    require_files(result.resolve())
    if case and (result / "cases" / case / CASE).is_file():
        return CaseEvidence.read(result / "cases" / case)
    found = _named(result)
    if not found:
        why = "no case has left evidence there; allowed: another run's directory"
        raise MistakeError(f"{result}: {why}")
    exact = [(name, tries) for name, tries in found if case == name]
    matching = exact or [(name, tries) for name, tries in found if case in name]
    if len(matching) > 1:
        failed = [(name, tries) for name, tries in matching if _has_failed(tries)]
        matching = failed or matching
    if len(matching) == 1:
        _, tries = matching[0]
        return _counting(tries)
    if matching:
        what = "more than one case is meant"
        names = sorted(name for name, _ in matching)
        if len(set(names)) < len(names):  # one case of several sites: their directories differ
            names = sorted(tries[-1].name for _, tries in matching)
    elif case in _planned(result):
        raise MistakeError(f"{result}: {case!r} was not run: it left no evidence")
    else:
        names = sorted(name for name, _ in found)
        meant = nearest(case, [*names, *(name.partition("[")[0] for name in names)])
        what = f"no case of this run is called {case!r}{meant}"
    shown = ", ".join(names[:_MOST_SUGGESTED])
    if len(names) > _MOST_SUGGESTED:
        shown += f" and {len(names) - _MOST_SUGGESTED} more"
    raise MistakeError(f"{result}: {what}; allowed: one of {shown}")


def _has_failed(tries: Sequence[Path]) -> bool:
    """Whether the last attempt did, with what files have added."""
    try:
        return CaseEvidence.read(tries[-1]).verdict is Verdict.FAILED
    except MistakeError:
        return False


def _planned(run: Path) -> set[str]:
    """The ids of all planned cases; empty if the run left no record of them."""
    try:
        return {str(case.get("id")) for case in read_planned(run)[0]}
    except MistakeError:
        return set()


def _counting(tries: Sequence[Path]) -> CaseEvidence:
    """The attempt that counts, or the last one if an attempt cannot be read."""
    try:
        return latest(map(CaseEvidence.read, tries))[0]
    except MistakeError:
        return CaseEvidence.read(tries[-1])


def _named(run: Path) -> list[tuple[str, Sequence[Path]]]:
    """Each case's id (its directory's name if it cannot be read) with the directories of its
    attempts, for each site.
    """
    every: dict[tuple[str, str], list[tuple[float, int, Path]]] = {}
    for path in sorted((run / "cases").glob(f"*/{CASE}")):
        try:
            plain = json_file.read(path)
            key = str(plain.get("site") or ""), str(plain.get("id", path.parent.name))
            order = float(plain.get("began_wall", 0.0)), int(plain.get("attempt", 1)), path.parent
        except (OSError, ValueError, TypeError, AttributeError, OverflowError):
            key, order = ("", path.parent.name), (0.0, 1, path.parent)
        every.setdefault(key, []).append(order)
    named: list[tuple[str, Sequence[Path]]] = []
    for (_, name), tries in every.items():
        named.append((name, [directory for *_, directory in sorted(tries)]))
    return named
