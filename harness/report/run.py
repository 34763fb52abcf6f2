"""A run's directory: made when it begins, completed when it ends.

::

    reports/<UTC stamp>-<pid>/
        cases/<case>/            the evidence, one directory a case (and attempt)
        allure-results/          unless another place was asked for
        run.json                 what only the runner knew, so that the reports can be made again
        causes.json              what failures have in common, the first to mend on top
        summary.json  junit.xml  report.html  signoff.html  allurerc.json
    reports/latest               a symbolic link to the newest finished run
    reports/history.sqlite       what each run found

Nothing is shared between runs but ``latest`` and ``history.sqlite``, and those change atomically.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import json
import os
import re
import shlex
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.calls.verdict import Verdict
from harness.diagnosis import common
from harness.errors import MistakeError, ResourceError, unwritable
from harness.report import allure, allure_report, history, html, junit, metrics, rerun
from harness.report import scope as scopes
from harness.report.causes import CauseGroup, grouped, judged
from harness.report.evidence import CaseEvidence, case_of, key_of
from harness.report.hearing import draw
from harness.report.latest import point_latest
from harness.report.listing import places_of
from harness.report.never_ended import why_it_never_ended
from harness.report.pcap import capture
from harness.report.processes import each
from harness.report.recorder import CASE
from harness.report.summary import Summary, latest, overruled, summarise
from harness.report.told import finite
from harness.support.field_kinds import require_kinds
from harness.support.files import json_file, whole_file
from harness.support.mask import mask_name, mask_plain
from harness.support.memory import lasting

CASES = "cases"
ALLURE = "allure-results"
REPORT, JUNIT, SUMMARY, CAUSES = "report.html", "junit.xml", "summary.json", "causes.json"
_RUN = "run.json"
#: So many entries of the history are read for the trends: one for each deployment and site of a run.
MOST_PAST = 60
#: Why a run was interrupted by Ctrl-C.
STOPPED = "stopped by the user"


@dataclass(frozen=True, kw_only=True)
class RunEnd:
    """What only the runner knows of its run."""

    workers: int
    wall_s: float
    allure_results: Path | None = None  #: where pytest's ``--alluredir`` pointed
    interrupted: str = ""  #: why the run ended before its time
    broke: tuple[str, ...] = ()  #: what broke outside of any case, a line each
    command: str = ""
    environment: Mapping[str, object] = field(default_factory=dict)  #: more lines for Allure's environment
    made_of: Mapping[str, str] = field(default_factory=dict)  #: of a run made of several: each one's name and command


_END = {each.name for each in fields(RunEnd)}


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


def create(reports: Path) -> Path:
    """Make a new run's directory. Raises :class:`MistakeError` where another path is needed, :class:`ResourceError` for a full disk."""
    require_outside_of_runs(reports)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    for attempt in range(100):
        directory = reports / (f"{stamp}-{os.getpid()}" + (f"-{attempt}" if attempt else ""))
        try:
            (directory / CASES).mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise unwritable(reports, error) from error
        return directory
    raise ResourceError(f"{reports}: a hundred runs of this process began within one second")


def require_outside_of_runs(directory: Path) -> None:
    """Refuse a run's own directory as the place for what others leave: its evidence is to stay as it left it."""
    real = directory.resolve()
    for run in (real, *real.parents):
        if (run / CASES).is_dir() and (run / scopes.FILE).exists():
            raise MistakeError(
                f"{directory}: is in the directory of the run {run.name}; allowed: a directory of no run"
            )


def case_directory(run: Path, case: Mapping[str, object]) -> Path:
    """Where a case's evidence goes; its name is the case's id as a file name, told apart by a hash, and the attempt."""
    case_id = str(case["id"])
    name = re.sub(r"[^A-Za-z0-9.+-]+", "_", mask_name(case_id) if case.get("mask") else case_id).strip("_")
    digest = hashlib.sha256(case_id.encode()).hexdigest()[:6]  # two ids may differ in what a file name cannot hold
    attempt = case.get("attempt", 1)
    return run / CASES / (f"{name[:120]}-{digest}" + (f".{attempt}" if attempt != 1 else ""))


def read_cases(run: Path) -> list[CaseEvidence]:
    """The evidence of every case of a run, attempts included."""
    directories = [path.parent for path in sorted((run / CASES).glob(f"*/{CASE}"))]
    with lasting():  # a tenth of what all reports of thousands of cases take was looking through them again and again
        return list(each(CaseEvidence.read, directories))


def last_attempt(run: Path, case: Mapping[str, object]) -> CaseEvidence | None:
    """The evidence of the attempt at a case that counts; None when it left none."""
    name = case_directory(run, {**case, "attempt": 1}).name
    attempts = [
        path.parent for path in (run / CASES).glob(f"*/{CASE}") if f"{path.parent.name}.".startswith(f"{name}.")
    ]
    return next(iter(latest(map(CaseEvidence.read, attempts))), None)


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


def as_kept(planned: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The plain data of cases as their evidence has them: masked, where their numbers are real."""
    return [mask_plain(case) if case.get("mask") else case for case in planned]


def remember(finished: FinishedRun) -> tuple[str, ...]:
    """Let later runs know what this one found; see :func:`harness.report.history.keep`."""
    return history.keep(finished.directory.parent / history.FILE, finished.entries)


def read_end(run: Path) -> tuple[list[Mapping[str, Any]], RunEnd] | None:
    """The planned cases of a run and what its runner knew at the end; None when it never ended.

    Raises :class:`MistakeError` when its record is damaged.
    """
    try:
        plain = json_file.read(run / _RUN)
        planned: list[Mapping[str, Any]] = [{"id": case["id"], **case} for case in map(case_of, plain["planned"])]
        # one of another version may say more
        end = {name: value for name, value in plain["end"].items() if name in _END}
        results = Path(end["allure_results"]) if end["allure_results"] else None
        has_own = (run / ALLURE).is_dir()
        if results and (has_own or not allure_report.Known(results).has_any(runs_of(run, planned))):
            # the run was moved, or came from another machine, or others' results are there by now
            results = run / ALLURE
        values = end | {"allure_results": results, "broke": tuple(end.get("broke", ()))}
        require_kinds(RunEnd, values)
        finite(values["wall_s"])
        return planned, RunEnd(**values)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise MistakeError(f"{run / _RUN}: cannot be read: {error}; allowed: as the run wrote it") from error


def runs_of(run: Path, planned: Iterable[Mapping[str, Any]]) -> set[str]:
    """The runs, by name, that its cases were planned in: itself, or those that it was made of."""
    return {str(case.get("run") or run.name) for case in planned}


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


def read_planned(run: Path) -> tuple[list[Mapping[str, Any]], RunEnd]:
    """As :func:`read_end`; a run that was killed was to run all that its scope asked for.

    Raises :class:`MistakeError` when it is no run.
    """
    if known := read_end(run):
        return known
    found = scopes.read(run)
    if found is None:
        what = (
            f"not a run's directory: it has neither {_RUN} nor {scopes.FILE}" if run.exists() else "no such directory"
        )
        raise MistakeError(f"{run}: {what}; allowed: a run's directory, e.g. reports/latest")
    results = run / ALLURE if (run / ALLURE).is_dir() else None
    end = RunEnd(
        workers=0, wall_s=0.0, allure_results=results, interrupted=why_it_never_ended(run, found), command=found.command
    )
    return list(found.planned()), end


def scope_of(run: Path, planned: Sequence[Mapping[str, object]]) -> scopes.Scope | None:
    """What a run was to verify, by what was ``planned`` in the end; None when it left none. Raises :class:`MistakeError`."""
    found = scopes.read(run)
    return found.narrowed({key_of(case) for case in planned}) if found else None


@contextlib.contextmanager
def _disk(run: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        what = "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else error.strerror or error
        raise ResourceError(f"{run}: the reports cannot be written: {what}") from error


def write_end(run: Path, planned: Sequence[Mapping[str, object]], end: RunEnd) -> None:
    """Put down what only the runner knows, so that the reports can be made again."""
    plain = {
        "planned": as_kept(planned),
        "end": dataclasses.asdict(end),
    }
    whole_file.write(run / _RUN, json.dumps(plain, indent=1, default=str) + "\n")


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
    allure_report.write_metrics(results, metrics.of(run.name, latest(evidences), times))
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
