"""Three clocks: this machine's monotonic clock, which dates events, its wall clock, and the clocks
of far ends that report calls.
"""

from __future__ import annotations

import email.utils
import math
import time
from datetime import UTC

_OFFSET = time.time() - time.monotonic()
#: Calls took place between 2001 and 2099, in seconds since the epoch. Milliseconds lie elsewhere.
_FROM_S, _TO_S = 1e9, 4.1e9


def to_wall(monotonic: float) -> float:
    """Seconds since the epoch."""
    return monotonic + _OFFSET


def to_monotonic(wall: float) -> float:
    """Seconds on this machine's monotonic clock."""
    return wall - _OFFSET


def since_epoch(value: float) -> float | None:
    """Seconds since the epoch, from a number of seconds or milliseconds; None if it is no time of a
    call.
    """
    return next((value / unit for unit in (1, 1e3) if _FROM_S <= value / unit < _TO_S), None)


def date_told(date: str) -> float:
    """The seconds since the epoch of a Date or Retry-After, which is in UTC in each of its forms,
    also where it names no zone (RFC 9110 section 5.6.7) or "-0000" (RFC 5322 section 3.3). Raises
    ``ValueError`` or ``OverflowError`` for any other text.
    """
    reported = email.utils.parsedate_to_datetime(date)
    return (reported if reported.tzinfo is not None else reported.replace(tzinfo=UTC)).timestamp()


class ClockOffset:
    """How far a server's clock is ahead of this machine's, by the Date of its answers (RFC 9110
    section 6.6.1).

    The offset lies between the two bounds that all answers so far allow; a Date has whole seconds,
    so one answer leaves a second open.
    """

    def __init__(self) -> None:
        self._least, self._most = -math.inf, math.inf

    @property
    def seconds(self) -> float:
        """0 while the clocks may agree, else the smallest possible offset."""
        return 0.0 if self._least < 0.0 < self._most else self._least

    @property
    def least(self) -> float:
        """The smallest possible offset, so that no test call is mistaken for an earlier one. 0 if
        unknown.
        """
        return self._least if math.isfinite(self._least) else 0.0

    @property
    def nearest(self) -> float:
        """The possible offset that is nearest to 0: the best guess for clocks that are kept right,
        also just after one was set.
        """
        return min(max(0.0, self._least), self._most)

    @property
    def unknown_s(self) -> float:
        """The uncertainty of the offset: a call that began this much earlier may seem to be later."""
        return self._most - self._least

    def note(self, asked_at: float, answered_at: float, date: str | None) -> None:
        """An answer with that Date came to a request; both moments by this machine's clock (epoch
        seconds).
        """
        try:
            reported = date_told(date or "")
        except (ValueError, OverflowError):
            return
        least, most = reported - answered_at, reported + 1.0 - asked_at
        if least > self._most or most < self._least:  # one of the clocks was set
            self._least, self._most = least, most
        else:
            self._least, self._most = max(least, self._least), min(most, self._most)
