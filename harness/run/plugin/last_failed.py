"""``harness verify --last-failed``: the cases that did not pass in the newest run of these files.

pytest's ``--last-failed`` knows neither the run's verdicts nor the cases that an interrupted run
never began; and the plan, the preflight and the caps are made before pytest deselects anything.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from harness.case.verdict import Verdict
from harness.errors import SelectionError
from harness.integrations import find
from harness.report import scope
from harness.report.case_document import is_masked, shown_name
from harness.report.evidence import CaseKey, key_of
from harness.report.run_directory import RunEvidence, as_kept, has_ended
from harness.run.plugin.run import Run

_OPTION = "--last-failed"


def narrowed(run: Run, reports: Path) -> tuple[Run, str]:
    """The run with those cases alone, and the name of the run that they are from. Raises
    :class:`SelectionError` where there are none.
    """
    names = set()
    for deployment in run.deployments:
        name = deployment.name
        names.add(shown_name(name) if is_masked(deployment) else name)
    newest = _newest(reports, names)
    if newest is None:
        raise SelectionError(
            f"{_OPTION}: {reports} has no run of {', '.join(sorted(names))}; allowed: after one"
        )
    rows = _rows_of_not_passed(newest)
    if not rows:
        raise SelectionError(f"{_OPTION}: every case passed in {newest}; allowed: without it")
    selection = run.selection
    if not selection.rows:  # some are only run when they are asked for by name
        known: set[str] = set()
        for deployment in run.deployments:
            known.update(row.id for row in find(deployment.integration).rows)
        selection = replace(selection, rows=tuple(sorted(known.intersection(rows.values()))))
        run = replace(run, selection=selection)
    ids = []
    kept = as_kept(run.plain(case) for case in run.cases)
    for case, plain in zip(run.cases, kept, strict=True):
        if key_of(plain) in rows:
            ids.append(case.id)
    said = f"{_OPTION}: {len(ids)} of {len(rows)} cases that did not pass in {newest}"
    if not ids:
        raise SelectionError(f"{said} are left by the other options; allowed: fewer of them")
    print(said, file=sys.stderr)
    return replace(run, selection=replace(selection, ids=tuple(ids))), newest.name


def _rows_of_not_passed(directory: Path) -> dict[CaseKey, str]:
    """The cases of a run that did not pass, or never ran, each with its row."""
    evidence = RunEvidence.read(directory)
    rows = {}
    for case in evidence.cases:
        if case.verdict is not Verdict.PASSED:
            rows[case.key] = case.row
    for absent in evidence.absent:
        rows[key_of(absent)] = str(absent.get("row"))
    return rows


def _newest(reports: Path, names: Collection[str]) -> Path | None:
    """The newest run of all these deployments that has ended; None where there is none."""
    written = {}
    for file in reports.glob(f"*/{scope.FILE}"):
        if not file.parent.is_symlink():
            written[file.parent] = file.stat().st_mtime
    for run in sorted(written, key=lambda run: written[run], reverse=True):
        found = scope.read(run)
        verified = {one.name for one in found.deployments} if found is not None else set()
        if verified.issuperset(names) and has_ended(run):
            return run
    return None
