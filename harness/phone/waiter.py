"""Waiting for events, with a goal and a deadline. A wait ends at once when its event can no longer come."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from harness.calls import measurement
from harness.calls.events import Event, Listened, PhoneLost, RtpStatistics, SipMessage, to_plain
from harness.calls.verdict import ExpectationError, Finding, Verdict

T = TypeVar("T")

_LONGEST_NAP: Final = 1.0  # on some platforms Ctrl-C is only noticed between waits


class NeverCame(ExpectationError):
    """The expected event never came, so the case fails. The message ends with the log of events that came."""


def never_came(goal: str, within: float, subject: str, why: str, log: str) -> NeverCame:
    actual = f"{why}\n{log}" if log else why
    return NeverCame(
        Finding(
            check="phone.wait",
            subject=subject,
            verdict=Verdict.FAILED,
            expected=f"{goal} within {within:g} s",
            actual=actual,
            at=time.monotonic(),
            measured=measurement.Wait(goal=goal, within_s=within, why=why),
        )
    )


def first(events: Sequence[Event], predicate: Callable[[Event], bool], begin: int = 0) -> Callable[[], Event | None]:
    """A probe for the first event from index ``begin`` for which ``predicate`` holds. ``events`` may grow; each is checked once."""
    seen = begin

    def probe() -> Event | None:
        nonlocal seen
        while seen < len(events):
            event = events[seen]
            seen += 1
            if predicate(event):
                return event
        return None

    return probe


def wait_for(
    changed: threading.Condition,
    probe: Callable[[], T | None],
    *,
    goal: str,
    within: float,
    subject: str,
    hopeless: Callable[[], str | BaseException | None],
    log: Callable[[], str],
    missed: Callable[[], str | BaseException | None] = lambda: None,
) -> T:
    """Wait until ``probe`` returns something other than None, and return that; ``changed`` triggers each attempt.

    ``hopeless`` returns why the goal can no longer be reached: a text ends the wait with :class:`NeverCame`, an error is raised.
    An event that came in time counts even if its peer died right after it. At the deadline, ``missed`` is called in the same way,
    to explain the missing event.
    """
    deadline = time.monotonic() + within
    with changed:
        while True:
            found = probe()
            if found is not None:
                return found
            end = hopeless()
            if isinstance(end, BaseException):
                raise end
            left = deadline - time.monotonic()
            if end is None and left <= 0:
                end = missed()
                if isinstance(end, BaseException):
                    raise end
            if end is not None or left <= 0:
                raise never_came(goal, within, subject, end or "it never came", log())
            changed.wait(min(left, _LONGEST_NAP))


def event_lines(events: Sequence[Event]) -> str:
    """One line per event, with the seconds since the first one; RTP statistics and audio pulses are left out."""
    if not events:
        return "nothing happened"
    begin = min(event.at for event in events)
    return "\n".join(
        f"{event.at - begin:8.3f}  {_line(event)}"
        for event in events
        if not isinstance(event, Listened | RtpStatistics)
    )


def _line(event: Event) -> str:
    who = event.leg or event.phone
    if isinstance(event, SipMessage):
        arrow = "→" if event.direction == "sent" else "←"
        unread = f" (not read: {event.unread})" if event.unread else ""
        return f"{who} {arrow} {event.transport} {event.remote} {event.text.splitlines()[0]}{unread}"
    facts = {name: value for name, value in to_plain(event).items() if name not in ("kind", "at", "phone", "leg")}
    if isinstance(event, PhoneLost):
        del facts["log"]
    return f"{who} {type(event).__name__} " + " ".join(f"{name}={value}" for name, value in facts.items())
