"""Stalls: times in which a process of this machine did not run, because it was stopped, or waited
for a processor.

Only the process itself knows when it slept: each has a thread that wakes up again and again, in C
(``stalls.c``), because most processes of phones only wait.
"""

from __future__ import annotations

import ctypes
import math
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, NamedTuple

#: Between two times that a process has to wake up.
_PERIOD_S: Final = 0.1
#: The same while it has nothing to do.
_IDLE_PERIOD_S: Final = 0.25
#: A process that wakes up this late has stalled: a jitter buffer cannot hide a longer gap.
LATE_S: Final = 0.15
_watch = ctypes.CDLL(str(Path(__file__).with_name("libstalls.so"))).watch
_watch.argtypes = (ctypes.c_void_p, ctypes.c_double)


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


class _Times(ctypes.Structure):
    """``struct watch`` of ``stalls.c``."""

    _fields_ = tuple((name, ctypes.c_double) for name in ("period", "awake", "late"))


class Watch:
    """Measures this process's stalls, once :meth:`start` was called. ``note`` gets each one as soon
    as it is over: in a thread, or in the one that calls :meth:`look`.
    """

    def __init__(self, note: Callable[[Stall], None]) -> None:
        self._note = note
        self._times = _Times(_PERIOD_S, 0.0, math.inf)

    def start(self) -> None:
        """Begin the thread."""
        now = time.monotonic()
        self._times.awake, self._times.late = now, now + self._times.period + LATE_S
        threading.Thread(target=self._run, name="stalls", daemon=True).start()

    def be_idle(self, is_idle: bool) -> None:
        """Whether the process has nothing to do, and the watch need not be as close."""
        self._times.period = _IDLE_PERIOD_S if is_idle else _PERIOD_S

    def look(self) -> None:
        """Note a stall that is just over, if the thread has not run yet."""
        times, now = self._times, time.monotonic()
        if now > times.late:
            times.late = math.inf
            self._note(Stall(times.awake, now))

    def _run(self) -> None:
        while True:
            _watch(ctypes.byref(self._times), LATE_S)
            self.look()
