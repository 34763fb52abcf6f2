"""Between the machine's monotonic clock, on which events are, and the wall clock of the far end's records."""

from __future__ import annotations

import email.utils
import time
from datetime import UTC

_OFFSET = time.time() - time.monotonic()
#: Of a call: seconds since the epoch in 2001 and 2099. Thousands, millions of them lie elsewhere.
_FROM_S, _TO_S = 1e9, 4.1e9
_UNITS = (1, 1e3, 1e6, 1e9)


def to_wall(monotonic: float) -> float:
    """Seconds since the epoch."""
    return monotonic + _OFFSET


def to_monotonic(wall: float) -> float:
    """Seconds on this machine's monotonic clock."""
    return wall - _OFFSET


def told_to_monotonic(told: object, ahead_s: float) -> float:
    """A moment that somebody tells in epoch seconds, as a number or in digits, whose clock is so far ahead, on that clock."""
    return to_monotonic(float(str(told)) - ahead_s)


def since_epoch(told: float) -> float | None:
    """The seconds since the epoch that a number tells as such, as milli-, micro- or nanoseconds; None where no call began then."""
    return next((told / unit for unit in _UNITS if _FROM_S <= told / unit < _TO_S), None)


def date_told(date: str) -> float:
    """The seconds since the epoch of a Date or Retry-After, which is in UTC in each of its forms, also where it names no zone
    (RFC 9110 section 5.6.7) or "-0000" (RFC 5322 section 3.3). Raises ``ValueError`` or ``OverflowError`` for what is none.
    """
    told = email.utils.parsedate_to_datetime(date)
    return (told if told.tzinfo is not None else told.replace(tzinfo=UTC)).timestamp()
