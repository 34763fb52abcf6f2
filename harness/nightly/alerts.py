"""Alerts, by mail, chat or webhook: only when something has changed since the night before."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.errors import BrokenError, MistakeError

#: Where alerts go: addresses as Apprise writes them, separated by blanks. They hold secrets, so they never stand in a file.
VARIABLE = "HARNESS_ALERTS"
_MOST = 20


@dataclass(frozen=True)
class Alert:
    """What has changed."""

    title: str
    body: str


def alert_of(series: str, before: Sequence[str] | None, now: Sequence[str], where: str) -> Alert | None:
    """What to tell of a night; None when nothing has changed. ``before`` is None in the first night."""
    known = set(before or ())
    new = [problem for problem in now if problem not in known]
    gone = [problem for problem in before or () if problem not in set(now)]
    if not new and not gone:
        return None
    parts = [
        f"{len(new)} new" if new else "",
        f"{len(gone)} gone" if gone else "",
        f"{len(now)} in all" if now else "all is well",
    ]
    lines = [*_listed("New", new), *_listed("Gone", gone), where]
    return Alert(f"{series}: {', '.join(filter(None, parts))}", "\n".join(lines))


def _listed(words: str, problems: Sequence[str]) -> list[str]:
    if not problems:
        return []
    more = [f"- and {len(problems) - _MOST} more"] if len(problems) > _MOST else []
    return [f"{words}:", *(f"- {problem}" for problem in problems[:_MOST]), *more, ""]


def addresses() -> list[str]:
    """Where alerts are to go. Raises :class:`MistakeError` when they are wanted and cannot be sent."""
    found = os.environ.get(VARIABLE, "").split()
    if found:
        _apprise()
    return found


def send(alert: Alert, to: Sequence[str]) -> None:
    """Send it everywhere. Raises :class:`BrokenError` when an address did not take it; the address itself is not named."""
    service = _apprise().Apprise()
    for number, address in enumerate(to, start=1):
        if not service.add(address):
            raise MistakeError(f"{VARIABLE}: address {number} is none that Apprise knows")
    if not service.notify(title=alert.title, body=alert.body):
        raise BrokenError(f"{VARIABLE}: an alert could not be sent to every address")


def _apprise() -> Any:
    try:
        import apprise
    except ImportError:
        raise MistakeError(f"{VARIABLE} is set, and Apprise is missing; allowed: the extra `nightly`") from None
    return apprise
