"""Waiting: with a goal, a deadline, and an end at once when what is waited for can no longer come."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from harness.calls import measurement
from harness.calls.events import Event
from harness.calls.verdict import ExpectationError, Finding, Verdict

T = TypeVar("T")

_LONGEST_NAP: Final = 1.0  # a signal (Ctrl-C) is only seen between naps where the platform's wait cannot be interrupted


class NeverCame(ExpectationError):
    """The expected event never came, so the case fails. The message ends with the log of what came instead."""


def never_came(goal: str, within: float, subject: str, why: str, log: str) -> NeverCame:
    """The error of a wait that ended without its event."""
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
    """A probe for the first of the growing ``events``, from ``begin`` on, for which ``predicate`` holds; looks at each once."""
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
    """What ``probe`` returns as soon as that is not None; it is asked anew each time ``changed`` is notified.

    ``hopeless`` says why the goal can no longer be reached: a text ends the wait with :class:`NeverCame`, an error is
    raised as it is. An event that came in time counts even when its peer died right after it. ``missed`` is asked in the
    same way when the time is over: what came in the goal's stead.
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
