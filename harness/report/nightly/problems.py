"""What is wrong in a night, each in words that stay the same from night to night; and what of it is
new, gone or unverified.

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

from harness.case.verdict import Verdict
from harness.report import scope
from harness.report.evidence import key_of
from harness.report.history import Run
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


def breaches(bounds: Sequence[Bound], runs: Iterable[Run]) -> list[str]:
    """A line for each figure over its bound, and for each bound of a row of which there is no
    figure: nothing was held to it.
    """
    runs = list(runs)
    over = [words for words, value, bound in _held(bounds, runs) if value > bound.max]
    measured = {(row, kpi) for run in runs for row, figures in run.kpis.items() for kpi in figures}
    named = dict.fromkeys((bound.row, bound.kpi) for bound in bounds if runs and bound.row != "*")
    return over + [
        f"{row}: {kpi} has a bound, and was not measured"
        for row, kpi in named
        if (row, kpi) not in measured
    ]


def _is_unheld(problem: str, bounds: Sequence[Bound], runs: Sequence[Run]) -> bool:
    """Whether a problem of an earlier night is a figure's, and no figure of these ``runs`` was held
    to that bound.
    """
    return bool(_OVER.search(problem)) and problem not in {
        words for words, *_ in _held(bounds, runs)
    }


def _held(bounds: Sequence[Bound], runs: Sequence[Run]) -> Iterator[tuple[str, float, Bound]]:
    """Each figure that has a bound: what is said where it is over, its value, and the bound."""
    are_several = (
        len({run.deployment for run in runs}) > 1
    )  # rows of one platform have the same names
    for run in runs:
        whose = (f" of {run.deployment}" if are_several else "") + f" at {run.site or 'local'}"
        for row, figures in sorted(run.kpis.items()):
            for bound in bounds:
                if bound.row in ("*", row) and bound.kpi in figures:
                    yield (
                        f"{row}{whose}: {bound.kpi} above {bound.max:g}",
                        figures[bound.kpi],
                        bound,
                    )


def problems_of(runs: Sequence[Run], differences: Sequence[Difference]) -> Iterator[str]:
    """Each in words that stay the same from night to night, so that only what changes is told."""
    for run in runs:
        if run.interrupted:
            yield f"{_interrupted(run)}{run.interrupted}"
        for result in run.results:
            never_run = run.interrupted and not result.attempts  # the interruption says it all
            if not result.passed and not never_run:
                yield problem_of(result.case, run.site, result.verdict)
    for difference in differences:
        for row in difference.lost_rows:
            yield f"{row} of {difference.deployment}{_LOST}"


def outside_of_cases(run: RunEvidence) -> Iterator[str]:
    """What makes a run fail or break though all its cases may have passed, in words as above."""
    for line in dict.fromkeys(run.end.broke):
        yield f"{_OUTSIDE}{mask_text(line.replace(run.name, '…'))}"  # a path in it would make it new each night
    for line in scope.missing(run.scope) if run.scope else ():
        yield f"required, and not run: {line}"
    for site, case in sorted({one.key for one in run.cases} - {key_of(one) for one in run.planned}):
        yield f"{_named(case, site)}{_UNPLANNED}"


def is_open(problem: str, bound: Sequence[Bound], runs: Sequence[Run]) -> bool:
    """Whether an earlier problem that is not about a case was left unchecked this night."""
    if not runs:
        return not problem.startswith(ENDED)  # which is about that night alone
    if problem.startswith(_OUTSIDE) or problem.endswith(_UNPLANNED):
        return any(run.interrupted for run in runs)
    if _INTERRUPTED in problem:
        return not any(problem.startswith(_interrupted(run)) for run in runs if not run.interrupted)
    if problem.endswith(_LOST):
        ran = {
            f"{result.row} of {run.deployment}{_LOST}"
            for run in runs
            for result in run.results
            if result.attempts
        }
        return problem not in ran
    return _is_unheld(problem, bound, runs)


def _interrupted(run: Run) -> str:
    """What a problem begins with that says why the run was interrupted in this deployment and at
    this site.
    """
    return f"{_named(run.deployment, run.site)}{_INTERRUPTED}"


def verified_in(runs: Sequence[Run]) -> set[str]:
    return {
        _named(one.case, run.site)
        for run in runs
        for one in run.results
        if one.verdict.says_something
    }


def _named(what: str, site: str) -> str:
    return f"{what}{f' at {site}' if site else ''}"


# -- what has changed


@dataclass(frozen=True, kw_only=True)
class News:
    """Problems of this night, and of the night before."""

    new: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    #: Problems of the night before whose cases neither passed nor failed this night, or which were
    #: not looked at.
    unverified: tuple[str, ...] = ()
    since: str = "the night before"  #: what it is news since; empty in the first night

    def __bool__(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self.new or self.gone or self.unverified)


def news_of(
    before: Sequence[str],
    now: Sequence[str],
    verified: Collection[str],
    is_open: Callable[[str], bool] = lambda problem: False,
    since: str = News.since,
) -> News:
    """``verified`` are the cases that passed or failed, as problems name them.

    ``is_open``: whether a problem that is not about a case was left unchecked this night.
    """
    known, still = set(before), set(now)
    over = [problem for problem in before if problem not in still]
    gone = [
        problem
        for problem in over
        if (case := case_of(problem)) in verified or (case is None and not is_open(problem))
    ]
    return News(
        new=tuple(problem for problem in now if problem not in known),
        gone=tuple(gone),
        unverified=tuple(problem for problem in over if problem not in gone),
        since=since,
    )


def problem_of(case: str, site: str, verdict: str) -> str:
    """A case that did not pass."""
    return f"{_named(case, site)}: {verdict}"


def case_of(problem: str) -> str | None:
    """The case that a problem is about; None where it is about none."""
    case, _, verdict = problem.rpartition(": ")
    return case if case and verdict in list(Verdict) else None
