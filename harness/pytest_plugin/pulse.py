"""Whether this machine keeps up. Audio does not wait: where processes are woken late, it is lost, and timings stretch."""

from __future__ import annotations

import functools
import os
import threading
import time
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

_PERIOD_S: Final = 0.05
#: From here on a listener's jitter buffer cannot hide it.
LATE_S: Final = 0.2
#: How often the kernel is asked for what processes have waited, and for how long that is kept.
_ASKED_EVERY: Final = 5
_SAMPLED_S: Final = _ASKED_EVERY * _PERIOD_S
_KEPT: Final = 1200
#: A machine keeps up that has for so long; and so long it is given to begin.
_CALM_S: Final = 1.0
_SETTLES_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class _Sample:
    """What is known at ``at``: for each process the seconds it has ever been ready to run, and had no processor."""

    at: float
    waited: dict[int, float] = field(default_factory=dict)


class Pulse:
    """A thread that wants to wake regularly, notes how late it was, and what the harness's processes waited for a processor."""

    def __init__(self) -> None:
        self._worst = 0.0
        self._late: deque[tuple[float, float]] = deque(maxlen=_KEPT)  # due, and woken, where that was late
        self._samples: deque[_Sample] = deque(maxlen=_KEPT)
        self._pids: Callable[[], Iterable[int]] = tuple
        # from now on, and not from when the thread has its first turn: that may be what is late
        threading.Thread(target=self._beat, args=(time.monotonic(),), name="pulse", daemon=True).start()

    def watch(self, pids: Callable[[], Iterable[int]]) -> None:
        """From now on look at these processes too: the softphones, whose events come late when they are."""
        self._pids = pids

    def take(self) -> float:
        """The worst lateness since the last time it was asked for, in seconds."""
        worst, self._worst = self._worst, 0.0
        return worst

    def starved(self, begin: float, end: float) -> float:
        """For how many of the seconds between two moments the harness itself was kept waiting for a processor: the runner, or
        the worst of its softphones. 0 where nobody can tell.
        """
        return max([0.0, *self._woken_late(begin, end), self._waited(begin, end)])

    def longest(self, begin: float, end: float) -> float:
        """The longest of that at one time, as far as the kernel's account shows it."""
        self._sample()
        samples = [sample for sample in list(self._samples) if begin - 2 * _SAMPLED_S <= sample.at <= end + _SAMPLED_S]
        # what has waited in two of its intervals, one behind the other, may have done so at one time
        at_once = (_waited_longest(before, after) for before, after in zip(samples, samples[2:], strict=False))
        return max([0.0, *self._woken_late(begin, end), *(min(waited, end - begin) for waited in at_once)])

    def _woken_late(self, begin: float, end: float) -> list[float]:
        return [min(woken, end) - max(due, begin) for due, woken in list(self._late)]

    def settle(self) -> None:
        """Wait until this machine keeps up, or has not for long."""
        until = time.monotonic() + _SETTLES_S
        while (now := time.monotonic()) < until:
            time.sleep(_CALM_S)
            if self.starved(now, time.monotonic()) < LATE_S:
                return

    def _waited(self, begin: float, end: float) -> float:
        """By the kernel's own account; its samples are wider than the time asked for, so no more than that counts."""
        self._sample()
        samples = list(self._samples)
        times = [sample.at for sample in samples]
        before = samples[max(0, bisect_right(times, begin) - 1)]
        after = samples[min(len(samples) - 1, bisect_left(times, end))]
        return min(_waited_longest(before, after), end - begin)

    def _sample(self) -> None:
        waited = {pid: seconds for pid in (os.getpid(), *self._pids()) if (seconds := _run_delay(pid)) is not None}
        self._samples.append(_Sample(time.monotonic(), waited))

    def _beat(self, due: float) -> None:
        beats = 0
        while True:
            due += _PERIOD_S
            time.sleep(max(0.0, due - time.monotonic()))
            now = time.monotonic()
            self._worst = max(self._worst, now - due)
            if now - due > _PERIOD_S:
                self._late.append((due, now))
            due = now
            beats += 1
            if beats % _ASKED_EVERY == 0:
                self._sample()


def _waited_longest(before: _Sample, after: _Sample) -> float:
    """What the process waited between two samples that waited longest."""
    return max((after.waited[pid] - before.waited.get(pid, 0.0) for pid in after.waited), default=0.0)


def _run_delay(pid: int) -> float | None:
    """Seconds a process's main thread has waited for a processor (Linux, sched-stats.rst); None where nobody counts."""
    try:
        with open(f"/proc/{pid}/schedstat", "rb", buffering=0) as file:  # of each process, four times a second
            return int(file.read(100).split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return None


@functools.cache
def of_this_process() -> Pulse:
    """The one there is."""
    return Pulse()
