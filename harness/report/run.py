"""Every report of a run, made when it ends or again from its evidence."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from harness.calls.verdict import Verdict
from harness.diagnosis import common
from harness.errors import ResourceError
from harness.report import allure, allure_report, history, html, junit, metrics, rerun
from harness.report import scope as scopes
from harness.report.case_page import places_of
from harness.report.causes import CauseGroup, grouped, judged
from harness.report.evidence import CaseEvidence, key_of
from harness.report.hearing import draw
from harness.report.pcap import capture
from harness.report.run_directory import (
    CAUSES,
    JUNIT,
    REPORT,
    SUMMARY,
    RunEnd,
    as_kept,
    case_directory,
    point_latest,
    read_cases,
    read_planned,
    scope_of,
    write_end,
)
from harness.report.summary import Summary, latest, overruled, summarise
from harness.support.files import json_file, whole_file

#: So many entries of the history are read for the trends: one for each deployment and site of a run.
MOST_PAST = 60


@dataclass(frozen=True)
class FinishedRun:
    """What a finished run left behind."""

    summary: Summary
    directory: Path
    report: Path
    junit: Path
    allure_results: Path | None
    allure_report: Path | None
    cases: tuple[CaseEvidence, ...]  #: attempts included
    groups: tuple[CauseGroup, ...]  #: what did not pass, by its cause
    notes: tuple[str, ...]  #: lines for the terminal: how to make what could not be made here
    entries: tuple[history.Run, ...]  #: the run as history knows it

    @property
    def files(self) -> dict[str, Path]:
        """What was made, by its name for the terminal."""
        named = {
            "report": self.report,
            "allure report": self.allure_report,
            "allure results": self.allure_results,
            "junit": self.junit,
        }
        return {name: path for name, path in named.items() if path is not None}


def finish(run: Path, planned: Sequence[Mapping[str, object]], end: RunEnd) -> FinishedRun:
    """Make every report of a run, and let ``latest`` point to it.

    ``planned`` is the plain data of each case that was to run. Raises :class:`ResourceError` where they cannot be written.
    """
    planned = as_kept(planned)
    with _disk(run):
        write_end(run, planned, end)
        evidences, scope = read_cases(run), scope_of(run, planned)
        finished = _finish(run, planned, end, evidences, scope)
        if why := point_latest(run):
            finished = dataclasses.replace(finished, notes=(*finished.notes, why))
    return finished


def remember(finished: FinishedRun) -> tuple[str, ...]:
    """Let later runs know what this one found; see :func:`harness.report.history.keep`."""
    return history.keep(finished.directory.parent / history.FILE, finished.entries)


def history_of(run: Path) -> list[history.Run]:
    """A run as history knows it. Raises :class:`MistakeError` when it is none."""
    planned, end = read_planned(run)
    return history.runs_of(run.name, read_cases(run), planned, scope_of(run, planned), end.interrupted)


def remake(run: Path, *, complete: bool = False) -> FinishedRun:
    """Make the reports of a run again, from its evidence.

    Raises :class:`MistakeError` when it is none, :class:`ResourceError` where they cannot be written.
    ``complete``: with pictures, MP3 and captures of what passed as well.
    """
    planned, end = read_planned(run)
    with _disk(run):
        evidences = read_cases(run)
        if complete:
            _on_all_cores(_complete, evidences)
        return _finish(run, planned, end, evidences, scope_of(run, planned))


def _complete(evidence: CaseEvidence) -> None:
    draw(evidence)
    if evidence.messages:
        capture(evidence)


@contextlib.contextmanager
def _disk(run: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        what = "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else error.strerror or error
        raise ResourceError(f"{run}: the reports cannot be written: {what}") from error


def summary_of(
    run: Path,
    evidences: Sequence[CaseEvidence],
    planned: Sequence[Mapping[str, object]],
    end: RunEnd,
    scope: scopes.Scope | None,
) -> Summary:
    """A run in figures, by all that it left."""
    summary = summarise(
        evidences,
        planned,
        left_out=scopes.left_out(scope) if scope else (),
        required=scopes.missing(scope) if scope else (),
        run=run.name,
        wall_s=end.wall_s,
        workers=end.workers,
        interrupted=end.interrupted,
        broke=end.broke,
    )
    if scope and not evidences:
        summary.began = scope.began
    return said_of_the_run(summary, end, scope)


def said_of_the_run(summary: Summary, end: RunEnd, scope: scopes.Scope | None) -> Summary:
    """With what is true of a part of the run's cases as well: what it was made with and of, and what was injected."""
    summary.versions = dict(scope.versions) if scope else {}
    summary.faults = list(scope.options.get("fault") or ()) if scope else rerun.faults(end.command)
    summary.as_of = scope.options.get("as_of", "") if scope else ""
    summary.made_of = list(end.made_of)
    return summary


def _finish(
    run: Path,
    planned: Sequence[Mapping[str, object]],
    end: RunEnd,
    evidences: Sequence[CaseEvidence],
    scope: scopes.Scope | None,
) -> FinishedRun:
    summary = summary_of(run, evidences, planned, end, scope)
    reported = {evidence.key for evidence in evidences}
    absent = [case for case in planned if key_of(case) not in reported]
    cases = latest(evidences)
    _on_all_cores(draw, [case for case in cases if case.verdict is not Verdict.PASSED])
    notes: list[str] = []
    causes = common.plain(judged(cases))
    summary.causes = causes["causes"]
    whole_file.write(run / CAUSES, json_file.text(causes) + "\n")
    summary.write(run / SUMMARY)
    junit.write(run / JUNIT, cases, absent)
    past = _past(run, evidences, planned, scope, notes)
    times = html.write(run / REPORT, summary, cases, absent, past, end.command, end.made_of)
    allure_page = _allure(run, evidences, absent, summary, end, notes, times) if end.allure_results else None
    return FinishedRun(
        summary,
        run,
        run / REPORT,
        run / JUNIT,
        end.allure_results,
        allure_page,
        tuple(evidences),
        tuple(grouped(cases)),
        tuple(notes),
        tuple(history.runs_of(run.name, evidences, planned, scope, end.interrupted)),
    )


def _past(
    run: Path,
    evidences: Sequence[CaseEvidence],
    planned: Sequence[Mapping[str, object]],
    scope: scopes.Scope | None,
    notes: list[str],
) -> list[history.Run]:
    """The runs before this one that verified the same: deployments, scope, timings and injected faults."""
    if not (whole := history.whole_of(evidences, planned, scope)):
        return []
    began = min((evidence.began_wall for evidence in evidences), default=time.time())
    try:
        found = history.read(run.parent / history.FILE, whole=whole, most=MOST_PAST)
    except ResourceError as error:  # the evidence is none the worse for it
        notes.append(f"the report shows no earlier runs: {error}")
        return []
    return [one for one in found if one.run != run.name and one.began < began]


def _on_all_cores(make: Callable[[CaseEvidence], object], cases: Sequence[CaseEvidence]) -> None:
    """Draw recordings and make them playable: libsndfile and numpy release the interpreter's lock."""
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        list(pool.map(make, cases))


def _allure(
    run: Path,
    evidences: Sequence[CaseEvidence],
    absent: Sequence[Mapping[str, object]],
    summary: Summary,
    end: RunEnd,
    notes: list[str],
    times: Sequence[metrics.Time],
) -> Path | None:
    results = end.allure_results
    assert results is not None  # the caller asked
    results.mkdir(parents=True, exist_ok=True)
    _write_lacking(run, evidences, absent, results)
    if earlier := overruled(evidences):
        known = allure_report.Known(results)
        for last, counting in earlier:
            if (result := known.file(*_place_of(last))) is not None:
                allure.overrule(result, last, counting)
    allure_report.write_environment(
        results,
        {
            "run": run.name,
            "command": end.command if not end.made_of else "",
            "made of": ", ".join(end.made_of),
            "faults injected": ", ".join(summary.faults),
            "workers": end.workers,
            **{f"deployment.{name}": kind for name, kind in summary.deployments.items()},
            **summary.versions,
            **end.environment,
        },
    )
    allure_report.write_executor(results, run.name)
    allure_report.write_metrics(results, metrics.medians(run.name, latest(evidences), times))
    allure_report.write_config(
        run,
        name=f"Call verification {run.name}",
        cases=summary.total.cases,
        history=allure_report.history_of(
            run.parent, summary.deployments, summary.faults, is_merged=bool(summary.made_of)
        ),
        places=places_of((*absent, *(evidence.case for evidence in evidences))),
    )
    try:
        page = allure_report.generate(run, results)
    except subprocess.SubprocessError as error:
        notes.append(f"Allure's report could not be made: {error}")
        return None
    if page is None:
        notes.append("Allure's report, where Node.js is: " + shlex.join(allure_report.command(run, results)))
    return page


def _place_of(case: CaseEvidence) -> tuple[str, str]:
    """The names of its run and of its directory, by which its result is known."""
    return str(case.case.get("run") or ""), case.directory.name


def _write_lacking(
    run: Path, evidences: Sequence[CaseEvidence], absent: Sequence[Mapping[str, object]], results: Path
) -> None:
    """Write the results that Allure has not: of cases whose worker died, and of those that left nothing."""
    known = allure_report.Known(results)
    for evidence in evidences:
        if known.file(*_place_of(evidence)) is None:
            allure.write_lost(evidence, results)
    are_several = len({key_of(case)[0] for case in (*absent, *(evidence.case for evidence in evidences))}) > 1
    for case in absent:
        directory = case_directory(run, case).name + (f" at {case.get('site')}" if are_several else "")
        if known.file(str(case.get("run") or ""), directory) is None:
            allure.write_missing(case, directory, results, time.time())
