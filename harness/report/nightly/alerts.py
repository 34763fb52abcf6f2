"""What has changed since the night before, and alerts about it by mail, chat or webhook.

A problem whose case was not verified since is not gone: its state is unknown.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from harness.calls.verdict import Verdict
from harness.errors import BrokenError, MistakeError


@dataclass(frozen=True, kw_only=True)
class News:
    """Problems of this night, and of the night before."""

    new: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    #: Problems of the night before whose cases neither passed nor failed this night, or which were not looked at.
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


#: Where alerts go: addresses as Apprise writes them, separated by blanks. They hold secrets, so they never stand in a file.
VARIABLE = "HARNESS_ALERTS"


_MOST, _MOST_CASES = 20, 3


@dataclass(frozen=True)
class Alert:
    """What has changed."""

    title: str
    body: str
    kind: Literal["failure", "success", "info"] = "info"  #: Apprise's words: chats show each in a colour of its own


@dataclass(frozen=True)
class AlertCause:
    """What some of a night's problems have in common, and what to do about it."""

    headline: str
    problems: tuple[str, ...]
    fix: str = ""
    owner: str = ""
    explain: str = ""  #: the command that says why, of the first of them
    where: str = ""  #: what its cases have in common

    def only(self, wanted: Sequence[str]) -> AlertCause:
        """With those of its problems alone."""
        return replace(self, problems=tuple(problem for problem in self.problems if problem in wanted))

    def words(self) -> str:
        """The cause, then a line each for what to do, whose it is, where, how to see why, and the problems."""
        named = {"fix": self.fix, "owner": self.owner, "where": self.where, "why": self.explain}
        lines = [
            self.headline,
            *(f"{name}: {text}" for name, text in named.items() if text),
            *self.problems[:_MOST_CASES],
        ]
        if len(self.problems) > _MOST_CASES:
            lines.append(f"and {len(self.problems) - _MOST_CASES} more")
        return "\n  ".join(lines)


def alert_of(
    series: str, news: News, now: Sequence[str], where: str, causes: Sequence[AlertCause] = ()
) -> Alert | None:
    """What to tell of a night; None when nothing has changed.

    New problems that share a cause are reported once, by their cause.
    """
    if not news:
        return None
    told = [cause.only(news.new) for cause in causes]
    lines = [
        *_listed("New", [*(cause.words() for cause in told if cause.problems), *unexplained(news.new, told)]),
        *_listed("Gone", news.gone),
        *_listed("Not verified this night, so nobody knows whether they are gone", news.unverified),
        where,
    ]
    is_well = not now and not news.unverified
    kind: Literal["failure", "success", "info"] = "failure" if news.new else "success" if is_well else "info"
    return Alert(f"{series}: {summary(news, now)}", "\n".join(lines), kind)


def summary(news: News, now: Sequence[str]) -> str:
    """How much has changed since the night before, and what there is in all."""
    counted = (("new", news.new), ("gone", news.gone), ("not verified this night", news.unverified))
    parts = [f"{len(problems)} {words}" for words, problems in counted if problems]
    all_is = [f"{len(now)} in all"] if now else [] if news.unverified else ["all is well"]
    return ", ".join([*parts, *all_is])


def unexplained(problems: Sequence[str], causes: Sequence[AlertCause]) -> list[str]:
    """Those of the problems that none of the causes explains."""
    explained = {problem for cause in causes for problem in cause.problems}
    return [problem for problem in problems if problem not in explained]


def _listed(words: str, problems: Sequence[str]) -> list[str]:
    if not problems:
        return []
    more = [f"- and {len(problems) - _MOST} more"] if len(problems) > _MOST else []
    return [f"{words}:", *(f"- {problem}" for problem in problems[:_MOST]), *more, ""]


def addresses() -> list[str]:
    """Where alerts are to go. Raises :class:`MistakeError` when they are wanted and cannot be sent: the first may be due in weeks."""
    found = os.environ.get(VARIABLE, "").split()
    if found:
        _service(found)
    return found


def send(alert: Alert, to: Sequence[str]) -> None:
    """Send it everywhere, if anywhere. Raises :class:`BrokenError` when an address did not take it; the address itself is not named."""
    if not to:
        return
    service = _service(to)
    # without body_format, Apprise would treat plain text from the wire as HTML in mails
    if not service.notify(title=alert.title, body=alert.body, notify_type=alert.kind, body_format="text"):
        raise BrokenError(f"{VARIABLE}: an alert could not be sent to every address")


def _service(to: Sequence[str]) -> Any:
    service = _apprise().Apprise()
    for number, address in enumerate(to, start=1):
        if not service.add(address):
            raise MistakeError(f"{VARIABLE}: address {number} is none that Apprise knows; allowed: one of its own form")
    return service


def _apprise() -> Any:
    try:
        import apprise
    except ImportError:
        raise MistakeError(f"{VARIABLE} is set, and Apprise is missing; allowed: the extra `nightly`") from None
    return apprise
