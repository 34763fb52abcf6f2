"""Every report of a run, made when it ends or again from its evidence."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import shlex
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from harness.diagnosis import common
from harness.errors import ResourceError
from harness.report import allure, history, html, junit, owners
from harness.report.callfacts import Measured
from harness.report.causes import CauseGroup, judged
from harness.report.evidence import CaseEvidence, PlainCase
from harness.report.hearing import draw
from harness.report.markup import relative
from harness.report.pcap import capture
from harness.report.processes import in_batches
from harness.report.run_directory import (
    CAUSES,
    JUNIT,
    REPORT,
    SUMMARY,
    RunEnd,
    RunEvidence,
    as_kept,
    case_directories,
    kept,
    point_latest,
    read_planned,
    write_end,
)
from harness.report.standing import Past, look_back
from harness.report.summary import Summary, summarise
from harness.support.files import json_file, whole_file


@dataclass(frozen=True)
class FinishedRun:
    """What a finished run left behind."""

    evidence: RunEvidence
    summary: Summary
    allure_report: Path | None
    notes: tuple[str, ...]  #: lines for the terminal: how to make what could not be made here
    now: Sequence[history.Run]  #: as the history keeps it
    past: Past  #: what the history says of its cases

    @property
    def directory(self) -> Path:
        """The run's directory."""
        return self.evidence.directory

    @property
    def groups(self) -> Sequence[CauseGroup]:
        """What did not pass, by its cause."""
        return self.evidence.groups

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.directory / REPORT

    @property
    def junit(self) -> Path:
        """The JUnit file."""
        return self.directory / JUNIT

    @property
    def files(self) -> dict[str, Path]:
        """What was made, by its name for the terminal."""
        named = {
            "report": self.report,
            "allure report": self.allure_report,
            "allure results": self.evidence.end.allure_results,
            "junit": self.junit,
        }
        return {name: path for name, path in named.items() if path is not None}


def finish(run: Path, planned: Sequence[PlainCase], end: RunEnd) -> FinishedRun:
    """Make every report of a run, and let ``latest`` point to it.

    ``planned`` is the plain data of each case that was to run. Raises :class:`ResourceError` where
    they cannot be written.
    """
    with _disk(run):
        write_end(run, planned, end)
        finished = _finish(*_read(run, as_kept(planned), end))
        if why := point_latest(run):
            finished = dataclasses.replace(finished, notes=(*finished.notes, why))
    return finished


def remember(finished: FinishedRun) -> tuple[str, ...]:
    """Let later runs know what this one found; see :func:`harness.report.history.keep`."""
    path = finished.directory.parent / history.FILE
    return history.keep(path, finished.now, finished.past.damage)


def remake(run: Path, *, complete: bool = False) -> FinishedRun:
    """Make the reports of a run again, from its evidence.

    Raises :class:`MistakeError` when it is none, :class:`ResourceError` where they cannot be
    written. ``complete``: with pictures, MP3 and captures of what passed as well.
    """
    with _disk(run):
        if not complete:
            return _finish(*_read(run, *read_planned(run)))
        evidence = RunEvidence.read(run)
        _on_all_cores(_complete, evidence.attempts)
        return _finish(evidence, _making(run, evidence.end, len(evidence.attempts)), {})


def _read(run: Path, planned: Sequence[PlainCase], end: RunEnd) -> _Read:
    """The run, and the views of its cases that passed."""
    evidence, directories = RunEvidence.of(run, planned, end), case_directories(run)
    making = _making(run, end, len(directories))
    read = kept(in_batches(partial(html.read, making), directories))
    views = {case.directory.name: view for case, view in read if view}
    return evidence.with_cases([case for case, _ in read]), making, views


def _making(run: Path, end: RunEnd, attempts: int) -> html.Making:
    results = end.allure_results
    if results is None:
        return html.Making.of(run, end, attempts, None)
    results.mkdir(parents=True, exist_ok=True)
    return html.Making.of(run, end, attempts, partial(allure.write, results))


def _complete(case: CaseEvidence) -> None:
    draw(case)
    if case.messages:
        capture(case)


@contextlib.contextmanager
def _disk(run: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        what = error.strerror or str(error)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            what = "the disk is full"
        raise ResourceError(f"{run}: the reports cannot be written: {what}") from error


#: A run as it was read for its reports, how its page is made, and what is made of it already.
_Read = tuple[RunEvidence, html.Making, Mapping[str, html.CaseView]]


def _finish(
    run: RunEvidence, making: html.Making, views: Mapping[str, html.CaseView]
) -> FinishedRun:
    """Write every view; ``views`` are the cases whose parts of the page are made already."""
    summary = summarise(run)
    _on_all_cores(draw, [case for case in run.cases if not case.passed])
    causes = common.plain(judged(run.cases))
    summary.causes = causes["causes"]
    whole_file.write(run.directory / CAUSES, json_file.text(causes) + "\n")
    summary.write(run.directory / SUMMARY)
    junit.write(run.directory / JUNIT, run)
    notes: list[str] = []
    now = history.runs_of(run)
    past = look_back(run, now)
    if past.unread:
        notes.append(f"the report shows no earlier runs: {past.unread}")
    if past.note:
        notes.append(f"no cause is shown as known: {past.note}")
    results, page = run.end.allure_results, None
    owners.write_all(run)
    times = html.write(run.directory / REPORT, run, summary, past, making, views)
    if results:
        page, why = _allure(run, summary, results, times)
        notes += why
    return FinishedRun(run, summary, page, tuple(notes), now, past)


def _on_all_cores(make: Callable[[CaseEvidence], object], cases: Sequence[CaseEvidence]) -> None:
    """Draw recordings and make them playable: libsndfile and numpy release the interpreter's lock."""
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        list(pool.map(make, cases))


def _allure(
    run: RunEvidence, summary: Summary, results: Path, times: Sequence[Measured]
) -> tuple[Path | None, list[str]]:
    """Write the rest of Allure's results, and what lies beside them; the first page of its report,
    or why it cannot be made.
    """
    allure.write_others(run, results)
    allure.write_beside(run, summary, results, times)
    try:
        page = allure.generate(run.directory, results)
    except subprocess.SubprocessError as error:
        return None, [f"Allure's report could not be made: {error}"]
    if page is not None:
        return page, []
    by_hand = []
    for word in allure.command(run.directory, results):
        by_hand.append(relative(Path(word)) if word.startswith("/") else word)
    return None, [f"Allure's report, where Node.js is: {shlex.join(by_hand)}"]
