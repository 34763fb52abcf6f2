"""A run's directory: made when the run begins, read back for every report.

::

    reports/<UTC stamp>-<pid>/
        cases/<case>/            the evidence, one directory a case (and attempt)
        allure-results/          unless another place was asked for
        run.json                 what only the runner knew, so that the reports can be made again
        causes.json              what failures have in common, the first to mend on top
        witnesses.json           files that others made and that were added when the run was over
        summary.json  junit.xml  report.html  signoff.html  allurerc.json
    reports/latest               a symbolic link to the newest finished run
    reports/history.sqlite       what each run found

Nothing is shared between runs but ``latest`` and ``history.sqlite``, and those change atomically.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import os
import re
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from pydantic import ConfigDict, TypeAdapter
from typing_extensions import TypedDict

from harness.case.log import CASE
from harness.deployment.limits import try_lease
from harness.errors import MistakeError, writing
from harness.report import scope as scopes
from harness.report.causes import CauseGroup, grouped
from harness.report.evidence import (
    CaseEvidence,
    PlainCase,
    Tries,
    case_of,
    key_of,
    latest,
    text_of,
    tries_of,
)
from harness.report.processes import each
from harness.report.scope import Scope
from harness.support.files import json_file, whole_file
from harness.support.mask import mask_name, mask_plain, mask_text
from harness.support.memory import lasting

Made = TypeVar("Made")

CASES = "cases"


ALLURE = "allure-results"


REPORT, JUNIT, SUMMARY, CAUSES = "report.html", "junit.xml", "summary.json", "causes.json"


_RUN = "run.json"


#: The files that others made and that were added when the run was over.
WITNESSES = "witnesses.json"


class AddedFile(TypedDict):
    """A file that somebody else made of the run's calls."""

    file: str  # its name
    sha256: str
    size: int  # octets
    kind: Literal["recording", "capture"]
    added: str  # when, in ISO 8601
    cases: list[str]  # the directories of the cases that it is about
    unmatched: list[str]  # what in it is of no case of the run


#: Why a run was interrupted by Ctrl-C.
STOPPED = "stopped by the user"


class WitnessesDocument(TypedDict):
    """``witnesses.json``: the files that others made, in the order in which they were added."""

    version: int
    files: list[AddedFile]


_WITNESSES: Final = TypeAdapter(WitnessesDocument)


@dataclass(frozen=True, kw_only=True)
class RunEnd:
    """What only the runner knows of its run."""

    __pydantic_config__ = ConfigDict(allow_inf_nan=False)

    workers: int
    wall_s: float
    allure_results: Path | None = None  #: where pytest's ``--alluredir`` pointed
    interrupted: str = ""  #: why the run ended before its time
    broke: tuple[str, ...] = ()  #: what broke outside of any case, a line each
    command: str = ""
    made_of: Mapping[str, str] = field(
        default_factory=dict
    )  #: of a run made of several: each one's name and command


class _RunFile(TypedDict):
    planned: list[dict[str, Any]]
    end: RunEnd


_RUN_FILE: Final = TypeAdapter(_RunFile)


def create(reports: Path) -> Path:
    """Make a new run's directory. Raises :class:`MistakeError` where another path is needed,
    :class:`ResourceError` for a full disk.
    """
    require_outside_of_runs(reports)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    names = (
        f"{stamp}-{os.getpid()}{f'-{attempt}' if attempt else ''}" for attempt in itertools.count()
    )
    with writing(reports):
        directory = next(reports / name for name in names if not (reports / name).exists())
        (directory / CASES).mkdir(parents=True)
    return directory


def require_outside_of_runs(directory: Path) -> None:
    """Refuse a run's own directory as the place for what others leave: its evidence is to stay as
    it left it.
    """
    real = directory.resolve()
    for run in (real, *real.parents):
        if (run / CASES).is_dir() and (run / scopes.FILE).exists():
            raise MistakeError(
                f"{directory}: is in the directory of the run {run.name}; allowed: a directory of no run"
            )


def case_directory(run: Path, case: PlainCase) -> Path:
    """Where a case's evidence goes; its name is the case's id as a file name, distinguished by a hash,
    and the attempt.
    """
    case_id = str(case["id"])
    name = re.sub(
        r"[^A-Za-z0-9.+-]+", "_", mask_name(case_id) if case.get("mask") else case_id
    ).strip("_")
    digest = hashlib.sha256(case_id.encode()).hexdigest()[
        :6
    ]  # two ids may differ in what a file name cannot hold
    attempt = case.get("attempt", 1)
    return run / CASES / (f"{name[:120]}-{digest}" + (f".{attempt}" if attempt != 1 else ""))


@dataclass(frozen=True)
class RunEvidence:
    """Everything a run left, read once; every view of the run is made of it."""

    directory: Path
    planned: Sequence[PlainCase]  #: the plain data of each case that was to run
    end: RunEnd
    scope: Scope  #: what it was asked to verify, narrowed to what was planned
    attempts: Sequence[CaseEvidence]  #: each attempt at each case

    @classmethod
    def read(cls, directory: Path) -> RunEvidence:
        """Raises :class:`MistakeError` when the directory is no run's, or its records are damaged."""
        return cls.of(directory, *read_planned(directory)).with_cases(read_cases(directory))

    @classmethod
    def of(cls, directory: Path, planned: Sequence[PlainCase], end: RunEnd) -> RunEvidence:
        """A run whose cases are not read yet. Raises :class:`MistakeError` for a damaged scope."""
        return cls(directory, planned, end, _scope_of(directory, planned), ())

    def with_cases(self, attempts: Sequence[CaseEvidence]) -> RunEvidence:
        """The run with its cases."""
        return dataclasses.replace(self, attempts=attempts)

    @property
    def has_end(self) -> bool:
        """Whether its runner came to its end."""
        return (self.directory / _RUN).exists()

    @cached_property
    def witnesses(self) -> list[AddedFile]:
        """The files that others made and that were added when the run was over."""
        return read_witnesses(self.directory)

    @property
    def name(self) -> str:
        """The run's name."""
        return self.directory.name

    @cached_property
    def tries(self) -> list[Tries]:
        """The attempts at each case."""
        return tries_of(self.attempts)

    @cached_property
    def cases(self) -> list[CaseEvidence]:
        """The attempt at each case that counts."""
        return [tries.counting for tries in self.tries]

    @cached_property
    def groups(self) -> list[CauseGroup]:
        """The cases that did not pass, by their causes."""
        return grouped(self.cases)

    @cached_property
    def absent(self) -> list[PlainCase]:
        """The planned cases that left no evidence."""
        reported = {case.key for case in self.attempts}
        return [case for case in self.planned if key_of(case) not in reported]

    @cached_property
    def everything(self) -> list[PlainCase]:
        """The plain data of each case, planned or reported."""
        return [*self.planned, *(case.case for case in self.attempts)]

    @property
    def has_sites(self) -> bool:
        """Whether several sites have verified it."""
        return len({key_of(case)[0] for case in self.everything}) > 1

    @property
    def began(self) -> float:
        """When its first case began, in seconds since the epoch; without cases, when the run did."""
        return min((case.began_wall for case in self.attempts), default=self.scope.began)

    @property
    def ended_wall(self) -> float:
        """When its last case ended, in seconds since the epoch; without cases, now."""
        return max((case.wall(case.ended) for case in self.attempts), default=time.time())


def read_witnesses(run: Path) -> list[AddedFile]:
    """The files that were added when the run was over. Raises :class:`MistakeError` for a damaged
    list.
    """
    try:
        return json_file.read_as(run / WITNESSES, _WITNESSES)["files"]
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise MistakeError(f"{run / WITNESSES}: cannot be read: {error}") from error


def read_cases(run: Path) -> list[CaseEvidence]:
    """The evidence of every case of a run, attempts included."""
    return kept(each(CaseEvidence.read, case_directories(run)))


def case_directories(run: Path) -> list[Path]:
    """The directory of every case of a run, attempts included."""
    return [path.parent for path in sorted((run / CASES).glob(f"*/{CASE}"))]


def kept(read: Iterable[Made]) -> list[Made]:
    """What is read of many cases, all of which stays in memory."""
    with lasting():  # a tenth of what all reports of thousands of cases take was looking through them again and again
        return list(read)


def last_attempt(run: Path, case: PlainCase) -> CaseEvidence | None:
    """The evidence of the attempt at a case that counts; None when it left none."""
    name = case_directory(run, {**case, "attempt": 1}).name
    attempts = [path for path in case_directories(run) if f"{path.name}.".startswith(f"{name}.")]
    return next(iter(latest(map(CaseEvidence.read, attempts))), None)


def as_kept(planned: Iterable[PlainCase]) -> list[PlainCase]:
    """The plain data of cases as their evidence has them: masked, where their numbers are real."""
    return [mask_plain(case) if case.get("mask") else case for case in planned]


def read_end(run: Path) -> tuple[list[PlainCase], RunEnd] | None:
    """The planned cases of a run and what its runner knew at the end; None when it never ended.

    Raises :class:`MistakeError` when its record is damaged.
    """
    try:
        found = json_file.read_as(run / _RUN, _RUN_FILE)
        planned: list[PlainCase] = [
            {"id": case["id"], **case} for case in map(case_of, found["planned"])
        ]
        end = found["end"]
        if end.allure_results and not _has_results(end.allure_results, run, planned):
            # the run was moved, or came from another machine, or others' results are there by now
            end = dataclasses.replace(end, allure_results=run / ALLURE)
        return planned, end
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise MistakeError(
            f"{run / _RUN}: cannot be read: {error}; allowed: as the run wrote it"
        ) from error


def _has_results(results: Path, run: Path, planned: Iterable[PlainCase]) -> bool:
    """Whether that directory has a result of this run, which has no results in its own directory."""
    if (run / ALLURE).is_dir():
        return False
    runs = {text_of(case, "run") for case in planned}
    names = (allure_name(name, case.name) for case in (run / CASES).glob("*") for name in runs)
    return any((results / f"{name}-result.json").exists() for name in names)


def allure_name(run: str, directory: str) -> str:
    """The name of the Allure result of that run's case, a UUID."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{run}/{directory}"))


def read_planned(run: Path) -> tuple[list[PlainCase], RunEnd]:
    """As :func:`read_end`; a run that was killed was to run all that its scope asked for, if it
    left one.

    Raises :class:`MistakeError` when it is no run.
    """
    if known := read_end(run):
        return known
    unended = RunEnd(workers=0, wall_s=0.0, interrupted=NEVER_ENDED)
    if found := scopes.read(run):
        results = run / ALLURE if (run / ALLURE).is_dir() else None
        why = why_it_never_ended(run, found)
        end = dataclasses.replace(
            unended, allure_results=results, interrupted=why, command=found.command
        )
        return list(found.planned()), end
    if not any((run / CASES).glob("*")):
        raise _no_run(run)
    return [], unended


def _scope_of(run: Path, planned: Sequence[PlainCase]) -> Scope:
    """What a run was to verify, by what was ``planned`` in the end. Raises :class:`MistakeError`."""
    found = scopes.read(run)
    return found.narrowed({key_of(case) for case in planned}) if found else scopes.UNKNOWN


def write_end(run: Path, planned: Sequence[PlainCase], end: RunEnd) -> None:
    """Put down what only the runner knows, so that the reports can be made again."""
    plain = {"planned": as_kept(planned), "end": dataclasses.asdict(end)}
    whole_file.write(run / _RUN, json.dumps(plain, indent=1, default=str) + "\n")


PREFLIGHT = "preflight.json"


NEVER_ENDED = "the run never came to its end: it left no record of one"


#: How many of preflight's failures the one-line reason lists.
_MOST_FAILED = 3


def why_it_never_ended(run: Path, scope: Scope) -> str:
    """Why a run left no record of its end: preflight stopped it before its first call, or unknown."""
    if scope.options.get("preflight") != "stop":
        return NEVER_ENDED
    try:
        reports = json_file.read(run / PREFLIGHT)
        said = [
            mask_text(
                (f"{report['deployment']}: " if reports[1:] else "")
                + f"{line['name']}: {line['detail']}"
            )
            for report in reports
            for line in report["lines"]
            if line["status"] == "failed"
        ]
    except (OSError, ValueError, TypeError, KeyError):
        return NEVER_ENDED
    more = [f"and {len(said) - _MOST_FAILED} more"] if len(said) > _MOST_FAILED else []
    return (
        f"preflight ended it before its first call: {'; '.join(said[:_MOST_FAILED] + more)}"
        if said
        else NEVER_ENDED
    )


#: A run that is under way, or was killed, has a link of this name; no view is made of what it leads
#: to. There, the lock of a file is held by the run's process as long as it lives.
_CONTROL, _RUNNER = "control", "runner"


#: Levels of directories. A run and Allure's report have up to four; Python's own walks end in a
#: RecursionError at a thousand.
_DEEPEST = 32


def require_run(directory: Path) -> None:
    """Raise :class:`MistakeError` unless ``directory`` is a run's and passes :func:`require_files`."""
    if not any(os.path.exists(directory / name) for name in (_RUN, scopes.FILE, CASES)):
        raise _no_run(directory)
    require_files(directory.resolve())


def _no_run(directory: Path) -> MistakeError:
    what = "not a run's directory" if os.path.exists(directory) else "no such directory"
    return MistakeError(f"{directory}: {what}; allowed: a run's directory, e.g. reports/latest")


def require_ended(directory: Path) -> None:
    """Raise :class:`MistakeError` for a run under way: its remaining cases would be reported as
    broken.
    """
    if not has_ended(directory):
        raise MistakeError(f"{directory}: this run is still under way; allowed: one that has ended")


def ended_run(directory: Path) -> Path:
    """The run's directory. Raises :class:`MistakeError` where it is none, or the run is under way."""
    require_run(directory)
    require_ended(directory.resolve())
    return directory.resolve()


def has_ended(directory: Path) -> bool:
    """Whether a run is not under way: its runner holds a lock for life."""
    lock = directory / _CONTROL / _RUNNER
    if not lock.exists():
        return True
    held = try_lease(lock, shared=True)
    if held is not None:
        held.release()
    return held is not None


def require_files(directory: Path) -> None:
    """Raise :class:`MistakeError` where a run's or a case's directory holds anything but files and
    directories.

    A view would be written through a link, a pipe would block for ever, and a bundle would contain
    the target of a link.
    """
    waiting = [(directory, 0)]
    while waiting:
        here, depth = waiting.pop()
        if depth > _DEEPEST:
            raise MistakeError(
                f"{directory}: has directories more than {_DEEPEST} levels deep; allowed: as the run wrote it"
            )
        try:
            entries = list(os.scandir(here))
        except OSError as error:
            raise MistakeError(f"{here}: cannot be read: {error.strerror}") from error
        for entry in entries:
            path = Path(entry.path)
            if path == directory / _CONTROL:
                continue
            if entry.is_dir(follow_symlinks=False):
                waiting.append((path, depth + 1))
            elif not entry.is_file(follow_symlinks=False):
                what = "a link" if entry.is_symlink() else "no file"
                raise MistakeError(
                    f"{path}: is {what}; allowed in the directory of a run: files and directories"
                )


LATEST = "latest"


def point_latest(run: Path) -> str:
    """Let ``latest`` point to this run, in one atomic step; of two runs that end at once, the later
    one wins.

    Returns a line that says why there is no such link, or nothing: the run is none the worse for
    it.
    """
    link = run.parent / LATEST
    fresh = run.parent / f".{LATEST}.{run.name}"
    if os.path.lexists(link) and not link.is_symlink():
        return f"{link}: is not a link to the newest run, and is left as it is; move it away"
    try:
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(run.name)
        fresh.replace(link)
    except OSError as error:  # file systems of Windows have no links
        return f"{link}: not made: {error.strerror}"
    return ""
