"""Alerts by mail, chat or webhook: what has changed since the night before."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from harness.errors import BrokenError, MistakeError
from harness.report.history import Problem
from harness.report.markup import number_of, web_link
from harness.report.nightly.problems import News, by_cause
from harness.support.terminal import program

#: Where alerts go: addresses as Apprise writes them, separated by blanks. They hold secrets, so
#: they never stand in a file.
VARIABLE = "HARNESS_ALERTS"
_MOST, _MOST_CASES = 20, 3


@dataclass(frozen=True)
class Alert:
    """What has changed."""

    title: str
    body: str
    #: Apprise's words: chats show each in a colour of its own.
    kind: Literal["failure", "warning", "success", "info"] = "info"


@dataclass(frozen=True, kw_only=True)
class AlertCause:
    """What some of a night's problems have in common, and what to do about it."""

    headline: str
    problems: tuple[Problem, ...]
    fix: str = ""
    owner: str = ""
    explain: str = ""  #: the command that says why, of the first of them
    where: str = ""  #: what its cases have in common
    standing: str = ""  #: what the history says of its cases, and by whom it is acknowledged
    reports: str = "reports"  #: the directory of reports, as commands name it
    link: str = ""  #: to it in the run's report, from the directory of reports or from anywhere

    @property
    def known(self) -> str:
        """By whom it is acknowledged."""
        return next((problem.known for problem in self.problems), "")

    @property
    def acknowledge(self) -> str:
        """The command that makes it known, with what is to be filled in."""
        cause = self.problems[0].cause.id if self.problems else "CAUSE"
        known = shlex.join([cause, "--reports", self.reports])
        return f"{program()} nightly acknowledge {known} --ticket … --owner … --until …"

    def only(self, wanted: Sequence[Problem]) -> AlertCause:
        """With those of its problems alone."""
        kept = tuple(problem for problem in self.problems if problem in wanted)
        return replace(self, problems=kept)

    def words(self) -> str:
        """The cause, then a line each for what to do, whose it is, where, how to see why, and the
        problems.
        """
        named = {
            "fix": self.fix,
            "owner": self.owner,
            "where": self.where,
            "history": self.standing,
            "why": self.explain,
            "link": web_link(self.link),
        }
        said = [f"{name}: {text}" for name, text in named.items() if text]
        return "\n  ".join([self.headline, *said, *_cases(self.problems)])


def alert_of(
    series: str,
    news: News,
    now: Sequence[Problem],
    where: str,
    causes: Sequence[AlertCause] = (),
) -> Alert | None:
    """What to tell of a night; None when nothing has changed.

    New problems that share a cause are reported once, by their cause.
    """
    if not news:
        return None
    with_new = [cause.only(news.new) for cause in causes]
    reported = [cause for cause in with_new if cause.problems]
    new = [cause.words() for cause in reported]
    new += _by_cause(unexplained(news.new, reported))
    unknown = "Not verified this night, so whether they are gone is unknown"
    lines = _listed("New", new)
    lines += _listed("Gone", _by_cause(news.gone))
    lines += _listed(unknown, _by_cause(news.unverified))
    lines.append(where)
    return Alert(f"{series}: {summary(news, now)}", "\n".join(lines), _kind(news, now))


def _kind(news: News, now: Sequence[Problem]) -> Literal["failure", "warning", "success", "info"]:
    if news.new:
        return "warning" if news.is_all_of_known_cases else "failure"
    return "info" if now or news.unverified else "success"


def summary(news: News, now: Sequence[Problem]) -> str:
    """How much has changed since the night before, by cause, and what there is in all."""
    causes = news.new_causes
    more = [one for one in news.new if one not in causes]
    parts = [f"{counted(causes, 'new ')}{_owners(causes)}"]
    if more:
        parts.append(f"{number_of(len(_names(more)), 'new case')} of a known cause{_owners(more)}")
    parts.append(f"{counted(news.gone, behind='gone')}{_title(news.gone)}")
    parts.append(counted(news.unverified, behind="not verified this night"))
    if in_all := by_cause(now):
        parts.append(f"{len(in_all)} in all")
        known = sum(all(one.known for one in problems) for problems in in_all)
        if known:
            parts[-1] += f", {known} known"
    elif not news.unverified:
        parts.append("all is well")
    return "; ".join(filter(None, parts))


def counted(problems: Sequence[Problem], before: str = "", behind: str = "") -> str:
    """``2 new causes (7 cases)``, ``1 gone (1 case)``; empty for none."""
    if not problems:
        return ""
    found, names = by_cause(problems), _names(problems)
    what = before + ("cause" if names else "problem")
    words = f"{len(found)} {behind}" if behind else number_of(len(found), what)
    return f"{words} ({number_of(len(names), 'case')})" if names else words


def _names(problems: Sequence[Problem]) -> list[str]:
    return list(dict.fromkeys(one.what for one in problems if one.verdict))


def _owners(problems: Sequence[Problem]) -> str:
    """Whose the causes are, behind a comma."""
    owners = dict.fromkeys(one.cause.owner for one in problems)
    return "".join(f", {owner}" for owner in owners if owner)


def _title(problems: Sequence[Problem]) -> str:
    """What the only cause is, behind a colon; of several the alert lists them."""
    found = by_cause(problems)
    if len(found) != 1:
        return ""
    title = found[0][0].cause.title
    return f": {title}" if title else ""


def _cases(problems: Sequence[Problem]) -> list[str]:
    names = [str(problem) for problem in problems[:_MOST_CASES]]
    more = len(problems) - _MOST_CASES
    return [*names, f"and {more} more"] if more > 0 else names


def _by_cause(problems: Sequence[Problem]) -> list[str]:
    """Each cause with its cases; a problem without a cause by itself."""
    found = []
    for some in by_cause(problems):
        first = some[0]
        if not first.cause.title:
            found.append(str(first))
            continue
        heading = f"{first.cause.title} ({number_of(len(_names(some)), 'case')})"
        found.append("\n  ".join([heading, *_cases(some)]))
    return found


def unexplained(problems: Sequence[Problem], causes: Sequence[AlertCause]) -> list[Problem]:
    """Those of the problems that none of the causes explains."""
    explained: set[Problem] = set()
    for cause in causes:
        explained.update(cause.problems)
    return [problem for problem in problems if problem not in explained]


def _listed(words: str, entries: Sequence[str]) -> list[str]:
    if not entries:
        return []
    lines = [f"{words}:", *(f"- {entry}" for entry in entries[:_MOST])]
    if len(entries) > _MOST:
        lines.append(f"- and {len(entries) - _MOST} more")
    return [*lines, ""]


def addresses() -> list[str]:
    """Where alerts are to go. Raises :class:`MistakeError` when they are wanted and cannot be sent:
    the first may be due in weeks.
    """
    found = os.environ.get(VARIABLE, "").split()
    if found:
        _service(found)
    return found


def send(alert: Alert, to: Sequence[str]) -> None:
    """Send it everywhere, if anywhere. Raises :class:`BrokenError` when an address did not take it;
    the address itself is not named.
    """
    if not to:
        return
    is_sent = _service(to).notify(
        title=alert.title,
        body=alert.body,
        notify_type=alert.kind,
        # without it, Apprise would treat plain text from the wire as HTML in mails
        body_format="text",
    )
    if not is_sent:
        raise BrokenError(f"{VARIABLE}: an alert could not be sent to every address")


def _service(to: Sequence[str]) -> Any:
    service = _apprise().Apprise()
    for number, address in enumerate(to, start=1):
        if not service.add(address):
            raise MistakeError(
                f"{VARIABLE}: address {number} is none that Apprise knows; allowed: one of its own form"
            )
    return service


def _apprise() -> Any:
    try:
        import apprise
    except ImportError:
        raise MistakeError(
            f"{VARIABLE} is set, and Apprise is missing; allowed: the extra `nightly`"
        ) from None
    return apprise
