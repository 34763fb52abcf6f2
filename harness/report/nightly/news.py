"""What has changed since the night before. A problem whose case was not verified since is not gone: nobody knows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from harness.calls.verdict import Verdict


@dataclass(frozen=True, kw_only=True)
class News:
    """Problems of this night, and of the night before."""

    new: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    #: Of the night before; their cases neither passed nor failed, and did not end so again, or nobody looked at what they are about.
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

    ``is_open``: whether nobody looked this night at what a problem is about that is no case's.
    """
    known, still = set(before), set(now)
    over = [problem for problem in before if problem not in still]
    gone = [
        problem for problem in over if (case := case_of(problem)) in verified or (case is None and not is_open(problem))
    ]
    return News(
        new=tuple(problem for problem in now if problem not in known),
        gone=tuple(gone),
        unverified=tuple(problem for problem in over if problem not in gone),
        since=since,
    )


def problem_of(case: str, verdict: str) -> str:
    """A case that did not pass, in words that stay the same from night to night."""
    return f"{case}: {verdict}"


def case_of(problem: str) -> str | None:
    """The case that a problem is about; None where it is about none."""
    case, _, verdict = problem.rpartition(": ")
    return case if case and verdict in list(Verdict) else None
