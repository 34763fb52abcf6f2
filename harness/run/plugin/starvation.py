"""How long the harness's processes waited for a processor (CPU starvation): audio is lost, and
timings stretch.
"""

from __future__ import annotations

import functools
import os
import threading
import time
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

from harness.phone.pool import PhonePool
from harness.scenario.evidence import Evidence

_PERIOD_S: Final = 0.05
#: A longer wait is beyond a listener's jitter buffer.
LATE_S: Final = 0.2
#: Periods between two questions to the kernel how long processes have waited.
_SAMPLE_EVERY: Final = 5
_SAMPLE_S: Final = _SAMPLE_EVERY * _PERIOD_S
#: How many samples, and how many late wake-ups, are kept.
_KEPT: Final = 1200
#: The machine has settled after this long without starvation.
_CALM_S: Final = 1.0
#: Time limit for settling.
_SETTLE_WITHIN_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class _Sample:
    """At ``at``: for each process the seconds it has been ready to run without a processor, since
    it began.
    """

    at: float
    waited: dict[int, float] = field(default_factory=dict)


class StarvationMonitor:
    """Notes how late this process was woken, and how long the harness's processes waited for a
    processor.

    :meth:`start` begins a thread that sleeps for a period at a time, and calls :meth:`woken` after
    each.
    """

    def __init__(self) -> None:
        self._worst = 0.0
        self._late: deque[tuple[float, float]] = deque(
            maxlen=_KEPT
        )  # (due, woken) of late wake-ups
        self._samples: deque[_Sample] = deque(maxlen=_KEPT)
        self._pids: Callable[[], Iterable[int]] = tuple
        self._periods = 0

    def start(self) -> None:
        """Monitor from now on."""
        # the first period begins here: the thread's first turn may be late as well
        threading.Thread(
            target=self._run, args=(time.monotonic(),), name="starvation", daemon=True
        ).start()

    def watch(self, pids: Callable[[], Iterable[int]]) -> None:
        """Watch these processes too: the softphones, whose events are late when they are starved."""
        self._pids = pids

    def take_lateness(self) -> float:
        """The worst lateness of a wake-up since the last time it was asked for, in seconds."""
        worst, self._worst = self._worst, 0.0
        return worst

    def starved(self, begin: float, end: float) -> float:
        """Seconds between two moments in which the runner, or the worst of its softphones, waited
        for a processor.

        0 where the kernel keeps no account.
        """
        self.sample()
        samples = list(self._samples)
        times = [sample.at for sample in samples]
        before = samples[max(0, bisect_right(times, begin) - 1)]
        after = samples[min(len(samples) - 1, bisect_left(times, end))]
        # samples may span more than the time asked for
        return max(
            [0.0, *self._woken_late(begin, end), min(_waited_longest(before, after), end - begin)]
        )

    def starved_at_once(self, begin: float, end: float) -> float:
        """The longest single wait, as far as the kernel's account shows it."""
        self.sample()
        samples = [
            sample
            for sample in list(self._samples)
            if begin - 2 * _SAMPLE_S <= sample.at <= end + _SAMPLE_S
        ]
        # waits in two consecutive intervals may be one wait
        waits = (
            _waited_longest(before, after)
            for before, after in zip(samples, samples[2:], strict=False)
        )
        return max(
            [0.0, *self._woken_late(begin, end), *(min(waited, end - begin) for waited in waits)]
        )

    def _woken_late(self, begin: float, end: float) -> list[float]:
        return [min(woken, end) - max(due, begin) for due, woken in list(self._late)]

    def settle(self) -> None:
        """Wait until nothing is starved any more, for ten seconds at most."""
        until = time.monotonic() + _SETTLE_WITHIN_S
        while (now := time.monotonic()) < until:
            time.sleep(_CALM_S)
            if self.starved(now, time.monotonic()) < LATE_S:
                return

    def sample(self) -> None:
        """Ask the kernel how long each process has waited so far."""
        waited = {
            pid: seconds
            for pid in (os.getpid(), *self._pids())
            if (seconds := _run_delay(pid)) is not None
        }
        self._samples.append(_Sample(time.monotonic(), waited))

    def _run(self, began: float) -> None:
        while True:
            due = began + _PERIOD_S
            time.sleep(max(0.0, due - time.monotonic()))
            began = self.woken(due)

    def woken(self, due: float) -> float:
        """Record a wake-up that was due at that time; returns when it happened."""
        now = time.monotonic()
        self._worst = max(self._worst, now - due)
        if now - due > _PERIOD_S:
            self._late.append((due, now))
        self._periods += 1
        if self._periods % _SAMPLE_EVERY == 0:
            self.sample()
        return now


def _waited_longest(before: _Sample, after: _Sample) -> float:
    """How long the process that waited longest waited between two samples."""
    return max(
        (after.waited[pid] - before.waited.get(pid, 0.0) for pid in after.waited), default=0.0
    )


def _run_delay(pid: int) -> float | None:
    """Seconds a process's main thread has waited for a processor (Linux, sched-stats.rst); None
    without statistics.
    """
    try:
        with open(
            f"/proc/{pid}/schedstat", "rb", buffering=0
        ) as file:  # of each process, four times a second
            return int(file.read(100).split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return None


@functools.cache
def monitor() -> StarvationMonitor:
    """The monitor of this process."""
    started = StarvationMonitor()
    started.start()
    return started


def observe(
    evidence: Evidence,
    pool: PhonePool,
    world: Callable[[float, float], list[float]] = lambda begin, end: [],
) -> None:
    """Let a case's evidence know about starvation of the runner, its softphones, and its world.

    ``world`` returns for how long the world's audio stood still between two moments, each time.
    """
    own = monitor()

    def stood_still(begin: float, end: float) -> float:
        return max([sum(world(begin, end)), *map(sum, pool.late(begin, end))])

    def starved(begin: float, end: float) -> float:
        return max(own.starved(begin, end), stood_still(begin, end))

    def at_once(begin: float, end: float) -> float:
        return max(
            [
                own.starved_at_once(begin, end),
                *world(begin, end),
                *chain.from_iterable(pool.late(begin, end)),
            ]
        )

    evidence.starved, evidence.starved_at_once, evidence.stood_still = starved, at_once, stood_still
