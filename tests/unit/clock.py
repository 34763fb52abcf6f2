"""Clocks that tests advance."""

from __future__ import annotations

import time
from dataclasses import dataclass

from harness.scenario.context import Clock as CaseClock


@dataclass
class Clock(CaseClock):
    """A clock that advances when somebody waits, and at no other time."""

    now: float = 1000.0

    def monotonic(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


class SkippingClock(CaseClock):
    """The machine's time, but a wait takes none of it: the clock jumps ahead."""

    def __init__(self) -> None:
        self._skipped_s = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self._skipped_s

    def wait(self, seconds: float) -> None:
        self._skipped_s += seconds
