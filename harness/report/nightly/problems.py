"""What is wrong in a night, each a :class:`Problem` that is the same from night to night; and what
of it is new, gone or unverified.

A problem whose case was not verified since is not gone: its state is unknown. A row's figures may be bounded by a TOML file::

    [[bound]]
    kpi = "answer_s"        # answer_s, rtp_loss, rtp_jitter_ms, case_s
    row = "ROW-ID"          # or "*", every row
    max = 3.0
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from harness.report import history, scope
from harness.report.acknowledged import Acknowledged
from harness.report.causes import CauseGroup
from harness.report.evidence import CaseEvidence, key_of
from harness.report.history import Cause, Problem, Run
from harness.report.nightly.compare import Difference
from harness.report.run_directory import RunEvidence
from harness.support import toml_model
from harness.support.mask import mask_text

#: What problems that are no case's begin or end with, or hold.
_LOST = ": not verified any more"
_INTERRUPTED = ": interrupted: "
_OUTSIDE = "broke outside of any case: "
_UNPLANNED = ": not planned"
ENDED = "the verification ended with exit code"
_OVER = re.compile(r": \w+ above \S+$")


class Bound(BaseModel):
    """The most a figure of a row may be."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    kpi: Literal["answer_s", "rtp_loss", "rtp_jitter_ms", "case_s"]
    row: str = "*"
    max: float


class BoundFile(BaseModel):
    """A file of bounds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bound: tuple[Bound, ...] = ()


def read_bounds(path: Path) -> tuple[Bound, ...]:
    """The bounds of a file. Raises :class:`MistakeError` with a line for each mistake."""
    return toml_model.load(path, BoundFile).bound


def breaches(bounds: Sequence[Bound], runs: Iterable[Run]) -> list[Problem]:
    """A problem for each figure over its bound, and for each bound of a row of which there is no
    figure: nothing was held to it.
    """
    runs = list(runs)
    said = [words for words, value, bound in _held(bounds, runs) if value > bound.max]
    if not runs:
        return []
    measured: set[tuple[str, str]] = set()
    for run in runs:
        for row, figures in run.kpis.items():
            measured |= {(row, kpi) for kpi in figures}
    for row, kpi in dict.fromkeys((bound.row, bound.kpi) for bound in bounds):
        if row != "*" and (row, kpi) not in measured:
            said.append(f"{row}: {kpi} has a bound, and was not measured")
    return [Problem(words) for words in said]


def _is_unheld(problem: str, bounds: Sequence[Bound], runs: Sequence[Run]) -> bool:
    """Whether a problem of an earlier night is a figure's, and no figure of these ``runs`` was held
    to that bound.
    """
    if not _OVER.search(problem):
        return False
    return problem not in {words for words, *_ in _held(bounds, runs)}


def _held(bounds: Sequence[Bound], runs: Sequence[Run]) -> Iterator[tuple[str, float, Bound]]:
    """Each figure that has a bound: what is said where it is over, its value, and the bound."""
    # rows of one platform have the same names
    are_several = len({run.deployment for run in runs}) > 1
    for run in runs:
        whose = f" at {run.site or 'local'}"
        if are_several:
            whose = f" of {run.deployment}{whose}"
        for row, figures in sorted(run.kpis.items()):
            for bound in bounds:
                if bound.row in ("*", row) and bound.kpi in figures:
                    words = f"{row}{whose}: {bound.kpi} above {bound.max:g}"
                    yield words, figures[bound.kpi], bound


def problems_of(
    runs: Sequence[Run], differences: Sequence[Difference], acknowledged: Acknowledged
) -> Iterator[Problem]:
    """One for each cause of each case, in words that stay the same from night to night."""
    for run in runs:
        if run.interrupted:
            yield Problem(f"{_interrupted(run)}{run.interrupted}")
        for result in run.results:
            never_run = run.interrupted and not result.attempts  # the interruption says it all
            if result.passed or never_run:
                continue
            what = _named(result.case, run.site)
            for cause in result.causes or (Cause(),):
                known = acknowledged.of(cause.id, run.deployment)
                yield Problem(what, result.verdict, cause, known)
    for difference in differences:
        for row in difference.lost_rows:
            yield Problem(f"{row} of {difference.deployment}{_LOST}")


def outside_of_cases(run: RunEvidence) -> Iterator[Problem]:
    """What makes a run fail or break though all its cases may have passed."""
    for line in dict.fromkeys(run.end.broke):
        # a path in it would make it new each night
        yield Problem(f"{_OUTSIDE}{mask_text(line.replace(run.name, '…'))}")
    for line in scope.missing(run.scope):
        yield Problem(f"required, and not run: {line}")
    planned = {key_of(one) for one in run.planned}
    for site, case in sorted({one.key for one in run.cases} - planned):
        yield Problem(f"{_named(case, site)}{_UNPLANNED}")


def is_open(problem: str, bound: Sequence[Bound], runs: Sequence[Run]) -> bool:
    """Whether an earlier problem that is not about a case was left unchecked this night."""
    if not runs:
        return not problem.startswith(ENDED)  # which is about that night alone
    if problem.startswith(_OUTSIDE) or problem.endswith(_UNPLANNED):
        return any(run.interrupted for run in runs)
    if _INTERRUPTED in problem:
        return not any(problem.startswith(_interrupted(run)) for run in runs if not run.interrupted)
    if problem.endswith(_LOST):
        for run in runs:
            rows = {result.row for result in run.results if result.attempts}
            if any(problem == f"{row} of {run.deployment}{_LOST}" for row in rows):
                return False
        return True
    return _is_unheld(problem, bound, runs)


def _interrupted(run: Run) -> str:
    """What a problem begins with that says why the run was interrupted in this deployment and at
    this site.
    """
    return f"{_named(run.deployment, run.site)}{_INTERRUPTED}"


def verified_in(runs: Sequence[Run]) -> set[str]:
    """The cases that passed or failed, as problems name them."""
    found = set()
    for run in runs:
        for result in run.results:
            if result.verdict.says_something:
                found.add(_named(result.case, run.site))
    return found


def _named(what: str, site: str) -> str:
    return f"{what} at {site}" if site else what


# -- what has changed


def problem_of(case: CaseEvidence, group: CauseGroup) -> Problem:
    """The problem that the case is by this cause."""
    return Problem(_named(case.id, case.site), str(case.verdict), history.cause_of(group))


@dataclass(frozen=True, kw_only=True)
class News:
    """Problems of this night, and of the night before."""

    new: tuple[Problem, ...] = ()  #: none that is acknowledged
    gone: tuple[Problem, ...] = ()
    #: Problems of the night before whose cases neither passed nor failed this night, or which were
    #: not looked at.
    unverified: tuple[Problem, ...] = ()
    before: tuple[Problem, ...] = ()
    since: str = "the night before"  #: what it is news since; empty in the first night

    def __bool__(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self.new or self.gone or self.unverified)

    @property
    def new_causes(self) -> tuple[Problem, ...]:
        """The new problems with a cause that no case had before."""
        known = {one.cause for one in self.before if one.verdict}
        return tuple(one for one in self.new if not (one.verdict and one.cause in known))

    @property
    def is_all_of_known_cases(self) -> bool:
        """Whether all that is new is another cause of cases that did not pass before, either."""
        known = {one.what for one in self.before if one.verdict}
        return all(one.what in known for one in self.new)


def news_of(
    before: Sequence[Problem],
    now: Sequence[Problem],
    verified: Collection[str],
    is_open: Callable[[str], bool] = lambda problem: False,
    since: str = News.since,
) -> News:
    """``verified`` are the cases that passed or failed, as problems name them.

    ``is_open``: whether a problem that is not about a case was left unchecked this night.
    """
    unknown = {problem for problem in before if not problem.known}
    still = set(now)
    over = [problem for problem in before if problem not in still]

    def is_gone(problem: Problem) -> bool:
        if problem.verdict:
            return problem.what in verified
        return not is_open(problem.what)

    gone = [problem for problem in over if is_gone(problem)]
    return News(
        new=tuple(problem for problem in now if not problem.known and problem not in unknown),
        gone=tuple(gone),
        unverified=tuple(problem for problem in over if problem not in gone),
        before=tuple(unknown),
        since=since,
    )


def by_cause(problems: Iterable[Problem]) -> list[list[Problem]]:
    """The problems of one cause together; one without a cause stands alone."""
    found: dict[object, list[Problem]] = {}
    for one in problems:
        found.setdefault(one.cause if one.cause.id else one, []).append(one)
    return list(found.values())
