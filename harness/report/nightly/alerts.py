"""Alerts by mail, chat or webhook: what has changed since the night before."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from harness.errors import BrokenError, MistakeError
from harness.report.nightly.problems import News

#: Where alerts go: addresses as Apprise writes them, separated by blanks. They hold secrets, so
#: they never stand in a file.
VARIABLE = "HARNESS_ALERTS"
_MOST, _MOST_CASES = 20, 3


@dataclass(frozen=True)
class Alert:
    """What has changed."""

    title: str
    body: str
    kind: Literal["failure", "success", "info"] = (
        "info"  #: Apprise's words: chats show each in a colour of its own
    )


@dataclass(frozen=True)
class AlertCause:
    """What some of a night's problems have in common, and what to do about it."""

    headline: str
    problems: tuple[str, ...]
    fix: str = ""
    owner: str = ""
    explain: str = ""  #: the command that says why, of the first of them
    where: str = ""  #: what its cases have in common
    standing: str = ""  #: what the history says of its cases

    def only(self, wanted: Sequence[str]) -> AlertCause:
        """With those of its problems alone."""
        return replace(
            self, problems=tuple(problem for problem in self.problems if problem in wanted)
        )

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
        }
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
    reported = [cause.only(news.new) for cause in causes]
    lines = [
        *_listed(
            "New",
            [
                *(cause.words() for cause in reported if cause.problems),
                *unexplained(news.new, reported),
            ],
        ),
        *_listed("Gone", news.gone),
        *_listed("Not verified this night, so whether they are gone is unknown", news.unverified),
        where,
    ]
    is_well = not now and not news.unverified
    kind: Literal["failure", "success", "info"] = (
        "failure" if news.new else "success" if is_well else "info"
    )
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
    service = _service(to)
    # without body_format, Apprise would treat plain text from the wire as HTML in mails
    if not service.notify(
        title=alert.title, body=alert.body, notify_type=alert.kind, body_format="text"
    ):
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
