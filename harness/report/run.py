"""A run's directory: made when it begins, completed when it ends.

::

    reports/<UTC stamp>-<pid>/
        cases/<case>/            the evidence, one directory a case (and attempt)
        allure-results/          unless another place was asked for
        run.json                 what only the runner knew, so that the reports can be made again
        summary.json  junit.xml  report.html  signoff.html  allurerc.json
    reports/latest               a symbolic link to the newest finished run
    reports/history.jsonl        a line a run

Nothing is shared between runs but ``latest`` and ``history.jsonl``, and those change atomically.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from harness.errors import HarnessError, MistakeError, ResourceError
from harness.report import allure, allure_report, history, html, junit, signoff
from harness.report.evidence import CaseEvidence
from harness.report.hearing import hearings
from harness.report.mask import mask_name, mask_plain
from harness.report.recorder import CASE
from harness.report.summary import Summary, latest, summarise

CASES = "cases"
ALLURE = "allure-results"
LATEST = "latest"
_RUN = "run.json"


@dataclass(frozen=True, kw_only=True)
class RunEnd:
    """What only the runner knows of its run."""

    workers: int
    wall_s: float
    allure_results: Path | None = None  #: where pytest's ``--alluredir`` pointed
    skipped: Mapping[str, str] = field(default_factory=dict)  #: case id: reason
    interrupted: str = ""  #: why the run ended before its time
    command: str = ""
    environment: Mapping[str, object] = field(default_factory=dict)  #: more lines for Allure's environment


@dataclass(frozen=True)
class Finished:
    """What a finished run left behind."""

    summary: Summary
    directory: Path
    report: Path
    signoff: Path
    junit: Path
    allure_results: Path | None
    allure_report: Path | None
    notes: tuple[str, ...]  #: lines for the terminal: how to make what could not be made here


def create(reports: Path) -> Path:
    """Make a new run's directory. Raises :class:`ResourceError` when that is not possible."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    for attempt in range(100):
        directory = reports / (f"{stamp}-{os.getpid()}" + (f"-{attempt}" if attempt else ""))
        try:
            (directory / CASES).mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise ResourceError(f"{reports}: no directory for the run can be made: {error.strerror}") from error
        return directory
    raise ResourceError(f"{reports}: a hundred runs of this process began within one second")


def case_directory(run: Path, case: Mapping[str, object]) -> Path:
    """Where a case's evidence goes; its name is the case's id as a file name, told apart by a hash, and the attempt."""
    case_id = str(case["id"])
    name = re.sub(r"[^A-Za-z0-9.+-]+", "_", mask_name(case_id) if case.get("mask") else case_id).strip("_")
    digest = hashlib.sha256(case_id.encode()).hexdigest()[:6]  # two ids may differ in what a file name cannot hold
    attempt = case.get("attempt", 1)
    return run / CASES / (f"{name[:120]}-{digest}" + (f".{attempt}" if attempt != 1 else ""))


def read_cases(run: Path) -> list[CaseEvidence]:
    """The evidence of every case of a run, attempts included."""
    return [CaseEvidence.read(path.parent) for path in sorted((run / CASES).glob(f"*/{CASE}"))]


def finish(run: Path, planned: Sequence[Mapping[str, object]], end: RunEnd) -> Finished:
    """Make every report of a run, and let ``latest`` point to it.

    ``planned`` is the plain data of each case that was to run. Raises :class:`ResourceError` when the disk is full.
    """
    with _disk(run):
        _note(run, planned, end)
        finished = _finish(run, planned, end)
        history.append(run.parent / history.FILE, finished.summary)
        point_latest(run)
    return finished


def remake(run: Path) -> Finished:
    """Make the reports of a finished run again, from its evidence. Raises :class:`MistakeError` when it is none."""
    try:
        plain = json.loads((run / _RUN).read_text(encoding="utf-8"))
        end = plain["end"]
        results = Path(end["allure_results"]) if end["allure_results"] else None
        known = RunEnd(**end | {"allure_results": results})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MistakeError(f"{run}: not the directory of a finished run: {error}") from error
    with _disk(run):
        return _finish(run, plain["planned"], known)


def signoff_pdf(run: Path) -> Path:
    """The sign-off document of a finished run as PDF. Raises :class:`MistakeError` without WeasyPrint, or without a run."""
    if not signoff.pdf_available():
        raise MistakeError(
            f"{run / 'signoff.html'}: a PDF needs WeasyPrint (the extra `signoff`) and Pango; or print it"
        )
    if not (run / "signoff.html").is_file():
        raise MistakeError(f"{run}: not the directory of a finished run: it has no signoff.html")
    with _disk(run):
        signoff.write_pdf(run / "signoff.html", run / "signoff.pdf")
    return run / "signoff.pdf"


@contextlib.contextmanager
def _disk(run: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ResourceError(f"{run}: the reports cannot be written: the disk is full") from error
        raise


def _note(run: Path, planned: Sequence[Mapping[str, object]], end: RunEnd) -> None:
    plain = {
        "planned": [mask_plain(case) if case.get("mask") else case for case in planned],
        "end": dataclasses.asdict(end),
    }
    (run / _RUN).write_text(json.dumps(plain, indent=1, default=str) + "\n", encoding="utf-8")


def _finish(run: Path, planned: Sequence[Mapping[str, object]], end: RunEnd) -> Finished:
    evidences = read_cases(run)
    summary = summarise(
        evidences,
        planned,
        run=run.name,
        wall_s=end.wall_s,
        workers=end.workers,
        skipped=end.skipped,
        interrupted=end.interrupted,
    )
    reported = {evidence.id for evidence in evidences}
    absent = [mask_plain(case) if case.get("mask") else case for case in planned if str(case["id"]) not in reported]
    cases = latest(evidences)
    _encode(cases)
    notes: list[str] = []
    allure_page = _allure(run, evidences, absent, summary, end, notes) if end.allure_results else None
    summary.write(run / "summary.json")
    junit.write(run / "junit.xml", cases, absent, end.skipped)
    past = history.read(run.parent / history.FILE)
    html.write(run / "report.html", summary, cases, absent, past)
    signoff.write(run / "signoff.html", summary, cases)
    return Finished(
        summary,
        run,
        run / "report.html",
        run / "signoff.html",
        run / "junit.xml",
        end.allure_results,
        allure_page,
        tuple(notes),
    )


def _encode(cases: Sequence[CaseEvidence]) -> None:
    """Draw the recordings and make them playable, on all cores: libsndfile and numpy release the interpreter's lock."""
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        list(pool.map(hearings, cases))


def _allure(
    run: Path,
    evidences: Sequence[CaseEvidence],
    absent: Sequence[Mapping[str, object]],
    summary: Summary,
    end: RunEnd,
    notes: list[str],
) -> Path | None:
    results = end.allure_results
    assert results is not None  # the caller asked
    results.mkdir(parents=True, exist_ok=True)
    has_result = allure_report.known(results)
    for evidence in evidences:
        if evidence.directory.name not in has_result:
            allure.write_lost(evidence, results)
    for case in absent:
        directory = case_directory(run, case).name
        if str(case["id"]) not in end.skipped and directory not in has_result:
            allure.write_missing(case, directory, results, time.time())
    allure_report.write_environment(
        results,
        {
            "run": run.name,
            "command": end.command,
            "workers": end.workers,
            **{f"deployment.{name}": kind for name, kind in summary.deployments.items()},
            **summary.versions,
            **end.environment,
        },
    )
    allure_report.write_executor(results, run.name)
    allure_report.write_config(
        run,
        name=f"Call verification {run.name}",
        cases=summary.total.cases,
        history=run.parent / "allure-history.jsonl",
    )
    try:
        page = allure_report.generate(run, results)
    except subprocess.SubprocessError as error:
        notes.append(f"Allure's report could not be made: {error}")
        return None
    if page is None:
        notes.append("Allure's report, where Node.js is: " + " ".join(allure_report.command(run, results)))
    return page


def point_latest(run: Path) -> None:
    """Let ``latest`` point to this run, in one atomic step; of two runs that end at once, the later one wins."""
    link = run.parent / LATEST
    fresh = run.parent / f".{LATEST}.{run.name}"
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    fresh.symlink_to(run.name)
    try:
        fresh.replace(link)
    except IsADirectoryError as error:
        fresh.unlink()
        raise HarnessError(f"{link}: is a directory, and should be a link to the newest run; move it away") from error
