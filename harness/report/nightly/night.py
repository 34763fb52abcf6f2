"""One night: verify, compare with the last good night, keep what was found, and say what has
changed.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from harness.errors import DamagedHistoryError, MistakeError
from harness.report import acknowledged as acknowledgements
from harness.report import history, matrix, scope
from harness.report.history import Night, Problem, Run
from harness.report.markup import explain_command, short_path
from harness.report.nightly import page
from harness.report.nightly.alerts import Alert, AlertCause, alert_of
from harness.report.nightly.compare import Difference, compare
from harness.report.nightly.problems import (
    ENDED,
    Bound,
    News,
    breaches,
    is_open,
    news_of,
    outside_of_cases,
    problem_of,
    problems_of,
    verified_in,
)
from harness.report.run_directory import REPORT, RunEvidence, require_outside_of_runs
from harness.report.standing import Standings, standings, together
from harness.support.files import own_directories
from harness.support.forkserver import PYTHON
from harness.support.mask import mask_text

#: How many nights the page shows, and how far back a last good night is looked for.
NIGHTS, LOOK_BACK = 30, 400
_PASSED, _FAILED = 0, 1
#: So soon a night notices that it was asked to end.
_MOMENT_S = 0.2
#: How a line begins that says what the verification could not do.
_MISTAKE = "ERROR: "
_HARNESS = "import sys; from harness.run.cli.entry import main; sys.argv[0] = 'harness'; main()"


@dataclass(frozen=True, kw_only=True)
class FinishedNight:
    """What a night left behind."""

    night: Night
    runs: tuple[Run, ...]
    differences: tuple[Difference, ...]  #: to the last good night; empty where there never was one
    news: News  #: since the night before
    alert: Alert | None
    page: Path
    histories: tuple[tuple[Run, ...], ...]  #: of each deployment and site, its nights
    notes: tuple[str, ...] = ()  #: a line for each damaged history that was set aside


@dataclass(frozen=True, kw_only=True)
class Verification:
    """A night's verification, and what the night is judged by."""

    reports: Path
    series: str
    bound: Sequence[Bound]
    began: float
    base_url: str = ""  #: where the reports are served; empty for a path
    run: str = ""  #: the name of the run that it made; empty for none
    code: int = 0  #: its exit code
    mistakes: Sequence[str] = ()  #: what it said that it could not do
    notes: Sequence[str] = ()  #: lines for people, as :attr:`FinishedNight.notes`


def one_night(
    files: Sequence[Path],
    reports: Path,
    *,
    series: str,
    bound: Sequence[Bound],
    more: Sequence[str],
    base_url: str = "",
) -> FinishedNight:
    """Run a night. ``more`` are further options of ``harness verify``. Raises :class:`MistakeError`
    while another one goes on.
    """
    with _alone(reports):
        began, before, damaged = time.time(), _runs(reports), history.damaged(reports)
        asked = ["verify", *map(str, files), "--reports", str(reports), *more]
        code, mistakes = _verify([*PYTHON, "-c", _HARNESS, *asked])
        # somebody may have begun another run here meanwhile
        made = [name for name in _runs(reports) - before if _is_of(reports / name, asked)]
        run = max(made, default="")
        notes = []
        for name in sorted(history.damaged(reports) - damaged):  # the verification found it first
            damage = f"was damaged; it is now {name}, and a new history begins"
            notes.append(f"{reports / history.FILE}: {damage}")
        verification = Verification(
            reports=reports,
            series=series,
            bound=bound,
            began=began,
            base_url=base_url,
            run=run,
            code=code,
            mistakes=mistakes,
            notes=notes,
        )
        return conclude(verification)


def _is_of(run: Path, asked: Sequence[str]) -> bool:
    """Whether a run is of that command line of ``harness``."""
    found = scope.read(run)
    return found is not None and found.command == shlex.join(["harness", *asked])


def _verify(command: Sequence[str]) -> tuple[int, tuple[str, ...]]:
    """Its exit code, and the lines that it said what it could not do with; they are shown as they
    come.
    """
    mistakes: list[str] = []
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, errors="replace"
    ) as verification:
        assert verification.stderr is not None
        ended = _passing_on(verification.stderr, mistakes)
        try:
            try:
                _wait_for(ended)
            except KeyboardInterrupt:
                # It hangs up, and makes its reports; asked by a terminal as well, it is no matter.
                verification.terminate()
                _wait_for(ended)
                raise
        except BaseException:
            verification.kill()
            raise
    return verification.returncode, tuple(mistakes)


def _wait_for(ended: threading.Event) -> None:
    """Wait for it. A signal that comes just before a wait itself, or to another thread, does not
    end that wait.
    """
    while not ended.wait(_MOMENT_S):
        pass


def _passing_on(said: IO[str], mistakes: list[str]) -> threading.Event:
    """Show the lines as they come, and keep the mistakes; what is returned tells when there are no
    more.
    """
    ended = threading.Event()

    def pass_on() -> None:
        for line in said:
            with suppress(OSError):  # its reader has gone; the night goes on
                print(line, end="", file=sys.stderr, flush=True)
            if line.startswith(_MISTAKE):
                mistakes.append(mask_text(line.removeprefix(_MISTAKE).strip()))  # it goes to chats
        ended.set()

    threading.Thread(target=pass_on, name="stderr", daemon=True).start()
    return ended


def conclude(verification: Verification) -> FinishedNight:
    """Judge a night and record it. A damaged history is set aside, and the night is the first of a
    new one.
    """
    try:
        return _judged(verification)
    except DamagedHistoryError as error:
        note = history.set_aside(verification.reports / history.FILE, error)
        return _judged(replace(verification, notes=[*verification.notes, note]))


def _judged(given: Verification) -> FinishedNight:
    """Compare the night with earlier ones, record it, write its page, and make its alert."""
    past = given.reports / history.FILE
    left = RunEvidence.read(given.reports / given.run) if given.run else None
    runs = tuple(history.runs_of(left)) if left else ()
    outside = tuple(outside_of_cases(left)) if left else ()
    acknowledged = acknowledgements.today(given.reports)
    history.append(past, runs)
    every_night = history.read_nights(past, given.series, most=LOOK_BACK)
    before = [history.read(past, key=one.key, most=LOOK_BACK) for one in runs]
    differences: list[Difference] = []
    said: dict[tuple[str, str], str] = {}
    for kept, this in zip(before, runs, strict=True):
        earlier = [one for one in kept if one.run != this.run]
        said |= standings(earlier, [this])
        if good := _last_good(earlier, this, {one.run for one in every_night}):
            differences += compare([good], [this], earlier, acknowledged)
    problems = list(problems_of(runs, differences, acknowledged))
    problems += breaches(given.bound, runs)
    problems += outside
    causes = _causes(left, said, problems, given) if left else ()
    problems += _of_the_verification(given, runs, outside)
    nights = every_night[-NIGHTS:]
    faults: tuple[str, ...] = ()
    if runs:
        faults = runs[0].faults
    elif nights:
        faults = nights[-1].faults
    night = Night(
        series=given.series,
        began=given.began,
        ended=time.time(),
        code=given.code or (_FAILED if problems else _PASSED),
        run=given.run,
        problems=tuple(problems),
        faults=faults,
    )
    shown = [*nights, night][-NIGHTS:]
    names = {one.run for one in shown}
    histories = []
    for runs_of_key in before or _of_the_night_before(past, shown):
        histories.append(tuple(one for one in runs_of_key if one.run in names))
    reported, since = _told_before([one for one in nights if one.faults == night.faults])
    news = news_of(
        reported,
        problems,
        verified_in(runs),
        lambda problem: is_open(problem, given.bound, runs),
        since,
    )
    tables = matrix.of_run(left) if left else ()
    written = given.reports / page.FILE
    page.write(written, shown, histories, causes, news, differences, tables, given.base_url)
    history.keep_night(past, night)  # last: what a night could not tell is told by the next one
    where = "\n".join([*given.notes, f"See {_page_of(given, written, causes)}"])
    alert = alert_of(given.series, news, problems, where, causes)
    if alert is None and given.notes:
        alert = Alert(f"{given.series}: the history was damaged", where)
    return FinishedNight(
        night=night,
        runs=runs,
        differences=tuple(differences),
        news=news,
        alert=alert,
        page=written,
        histories=tuple(histories),
        notes=tuple(given.notes),
    )


def _of_the_verification(
    given: Verification, runs: Sequence[Run], outside: Sequence[Problem]
) -> Iterator[Problem]:
    """What is wrong with the verification itself, where nothing that it left shows it."""
    if given.code and not outside and all(one.good for one in runs):
        ended = f"{ENDED} {given.code}"
        yield Problem(f"{ended}: {given.mistakes[0]}" if given.mistakes else ended)
    if not given.code and not runs:  # of --plan, say, or another --reports
        yield Problem(f"the verification left no results in {given.reports}")


def _last_good(earlier: Sequence[Run], this: Run, nights: Collection[str]) -> Run | None:
    """The last good run of the series; somebody else's counts where the same cases were asked for."""
    asked = {result.case for result in this.results}
    for one in reversed(earlier):
        if not one.good:
            continue
        if one.run in nights or {result.case for result in one.results} == asked:
            return one
    return None


def _page_of(given: Verification, nights: Path, causes: Sequence[AlertCause]) -> str:
    """The page to look at: the report of the night's run, where it has left one and something in it
    did not pass.
    """
    report = given.reports / given.run / REPORT
    shown = report if causes and report.is_file() else nights
    if not given.base_url:
        return str(shown)
    return page.address(given.base_url, shown, given.reports)


def _of_the_night_before(past: Path, nights: Sequence[Night]) -> list[list[Run]]:
    """What the last night with results is compared with, for the page of one that left none."""
    every = history.read(past, most=LOOK_BACK)
    made = {run.run for run in every}
    last = next((one.run for one in reversed(nights) if one.run in made), None)
    return [history.read(past, key=run.key, most=LOOK_BACK) for run in every if run.run == last]


def check_fresh(reports: Path, series: str, hours: float) -> str:
    """Why the nights are stale: none has ended in the last ``hours``; empty when one has."""
    nights = history.read_nights(reports / history.FILE, series, most=1)
    if not nights:
        return f"{series}: there was no night yet in {reports}"
    age = (time.time() - nights[-1].ended) / 3600
    # one that is to end in the future was put down by a clock that was ahead
    if abs(age) > hours:
        return f"{series}: the last night ended {age:.1f} hours ago, more than {hours:g}"
    return ""


def _told_before(nights: Sequence[Night]) -> tuple[tuple[Problem, ...], str]:
    """The problems of the last night that was told, and what the next night's news is since; empty
    where there was no night.
    """
    if not nights:
        return (), ""
    reported = next((one.problems for one in reversed(nights) if one.told), ())
    return reported, News.since if nights[-1].told else "the last alert that could be sent, if any"


def _causes(
    run: RunEvidence, said: Standings, problems: Sequence[Problem], given: Verification
) -> tuple[AlertCause, ...]:
    """What the cases that did not pass have in common, the first to mend on top."""
    report = page.address(given.base_url, run.directory / REPORT, given.reports)
    short = short_path(run.directory)
    found = []
    for group in run.groups:
        cases = {problem_of(case, group) for case in group.cases}
        own = tuple(one for one in problems if one in cases)
        standing = together(said.get(case.key, "") for case in group.cases)
        known = own[0].known if own else ""
        cause = AlertCause(
            headline=group.headline,
            problems=own,
            fix=group.said("fix"),
            owner=group.owner,
            where=group.where,
            explain=explain_command(short, group.cases[0]),
            reports=str(Path(short).parent),
            standing="; ".join(filter(None, (standing, known))),
            link=f"{report}#{group.anchor}",
        )
        found.append(cause)
    return tuple(found)


def _runs(reports: Path) -> set[str]:
    directories = [path.parent for path in reports.glob(f"*/{scope.FILE}")]
    return {directory.name for directory in directories if not directory.is_symlink()}


@contextmanager
def _alone(reports: Path) -> Iterator[None]:
    """Two nights at once would take each other's runs for their own."""
    require_outside_of_runs(reports)
    try:
        reports.mkdir(parents=True, exist_ok=True)
        file = own_directories.shared_file(reports / ".nightly.lock")
    except OSError as error:
        what = f"cannot be written to: {error.strerror}; allowed: a directory that can be"
        raise MistakeError(f"--reports {reports}: {what}") from None
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            what = "another night is under way here; allowed: one at a time"
            raise MistakeError(f"{reports}: {what}") from None
        yield
    finally:
        os.close(file)
