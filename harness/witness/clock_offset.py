"""How far somebody's clock is ahead of this machine's, by the Date of their answers (RFC 9110 section 6.6.1)."""

from __future__ import annotations

import math

from harness.witness.clock import date_told


class ClockOffset:
    """Between the two bounds that all answers so far allow; a Date has whole seconds, so one answer leaves one open."""

    def __init__(self) -> None:
        self._least, self._most = -math.inf, math.inf

    @property
    def seconds(self) -> float:
        """0 while the clocks may agree, else the least that is possible."""
        return 0.0 if self._least < 0.0 < self._most else self._least

    @property
    def least(self) -> float:
        """The smallest possible offset, so that no test call is mistaken for an earlier one. 0 if unknown."""
        return self._least if math.isfinite(self._least) else 0.0

    @property
    def nearest(self) -> float:
        """The possible one that is nearest to 0: of clocks that are kept right it is the best guess, also just after one was set."""
        return min(max(0.0, self._least), self._most)

    @property
    def unknown_s(self) -> float:
        """The uncertainty of the offset: a call that began this much earlier may seem to be later."""
        return self._most - self._least

    def note(self, asked_at: float, answered_at: float, date: str | None) -> None:
        """An answer with that Date came to a request; both moments by this machine's clock (epoch seconds)."""
        try:
            told = date_told(date or "")
        except (ValueError, OverflowError):
            return
        least, most = told - answered_at, told + 1.0 - asked_at
        if least > self._most or most < self._least:  # one of the clocks was set
            self._least, self._most = least, most
        else:
            self._least, self._most = max(least, self._least), min(most, self._most)
