"""Stalls: times in which a process of this machine did not run, because it was stopped, or waited
for a processor, or for a lock of its own.

Only the process itself knows when it slept: each has a thread that wants to wake up again and again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

#: Between two times that a process has to wake up.
_PERIOD_S: Final = 0.1
#: A process that wakes up this late has stalled: a jitter buffer cannot hide a longer gap.
LATE_S: Final = 0.15


class Stall(NamedTuple):
    """From when to when (monotonic) a process did not run."""

    began: float
    ended: float

    @property
    def seconds(self) -> float:
        return self.ended - self.began


def within(stalls: Iterable[Stall], begin: float, end: float) -> list[Stall]:
    """The parts of one process's stalls that lie between two moments; those that overlap, since both
    the process and who listens to it measured one, are joined.
    """
    joined: list[Stall] = []
    for one in sorted(stalls):
        clipped = Stall(max(one.began, begin), min(one.ended, end))
        if clipped.seconds <= 0:
            continue
        if joined and clipped.began <= joined[-1].ended:
            clipped = Stall(joined[-1].began, max(joined[-1].ended, clipped.ended))
            joined.pop()
        joined.append(clipped)
    return joined


def watch(note: Callable[[Stall], None]) -> None:
    """Call ``note``, in a thread, with each stall of this process as soon as it is over."""

    def run() -> None:
        awake = time.monotonic()
        while True:
            time.sleep(_PERIOD_S)
            now = time.monotonic()
            if now - awake > _PERIOD_S + LATE_S:
                note(Stall(awake, now))
            awake = now

    threading.Thread(target=run, name="stalls", daemon=True).start()
