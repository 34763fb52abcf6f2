"""How long the harness's processes waited for a processor (CPU starvation): audio is lost, and
timings stretch.
"""

from __future__ import annotations

import functools
import math
import os
import threading
import time
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Final

from harness.case.events import MachineAsked
from harness.phone.pool import PhonePool
from harness.scenario.evidence import Evidence
from harness.support.heartbeat import Listener
from harness.support.stalls import Stall, within

_PERIOD_S: Final = 0.05
#: A longer wait is beyond a listener's jitter buffer.
LATE_S: Final = 0.2
#: What is noted as a stall of this process.
STALLED_S: Final = 0.15
#: Periods between two questions to the kernel how long processes have waited.
_SAMPLE_EVERY: Final = 5
_SAMPLE_S: Final = _SAMPLE_EVERY * _PERIOD_S
#: How many samples, and how many late wake-ups, are kept.
_KEPT: Final = 1200
#: The machine has settled after this long without starvation.
_CALM_S: Final = 1.0
#: Time limit for settling.
_SETTLE_WITHIN_S: Final = 10.0
#: A stall is known once its process has run again: it pulses four times a second.
_KNOWN_WITHIN_S: Final = 0.6
_LOOKED_EVERY_S: Final = 0.02


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

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._worst = 0.0
        self._late: deque[tuple[float, float]] = deque(
            maxlen=_KEPT
        )  # (due, woken) of late wake-ups
        self._samples: deque[_Sample] = deque(maxlen=_KEPT)
        self._pids: Callable[[], Iterable[int]] = tuple
        self._worlds: Callable[[], Collection[int]] = tuple
        self._periods = 0
        self._due = math.inf  #: when the thread has to wake up next

    def start(self) -> None:
        """Monitor from now on."""
        # the first period begins here: the thread's first turn may be late as well
        threading.Thread(
            target=self._run, args=(self._monotonic(),), name="starvation", daemon=True
        ).start()

    def watch(
        self, pids: Callable[[], Iterable[int]], worlds: Callable[[], Collection[int]] = tuple
    ) -> None:
        """Watch these processes too: the softphones, whose events are late when they are starved, and
        the simulated worlds.
        """
        self._pids, self._worlds = pids, worlds

    def take_lateness(self) -> float:
        """The worst lateness of a wake-up since the last time it was asked for, in seconds."""
        worst, self._worst = self._worst, 0.0
        return worst

    def starved(self, begin: float, end: float) -> float:
        """Seconds between two moments in which the runner, or the worst of its softphones, waited
        for a processor.

        0 where the kernel keeps no account.
        """
        waited_s = max(self._waited(begin, end, but=self._worlds()).values(), default=0.0)
        return max([0.0, *self._woken_late(begin, end), waited_s])

    def share_waited(self, begin: float, end: float, world: int | None) -> float:
        """The share of the time between two moments in which this process, the worst of its
        softphones, or that world, was ready to run without a processor.
        """
        others = [pid for pid in self._worlds() if pid != world]
        waited_s = max(self._waited(begin, end, but=others).values(), default=0.0)
        return waited_s / (end - begin) if end > begin else 0.0

    def _waited(self, begin: float, end: float, but: Collection[int]) -> dict[int, float]:
        self.sample()
        samples = list(self._samples)
        times = [sample.at for sample in samples]
        before = samples[max(0, bisect_right(times, begin) - 1)]
        after = samples[min(len(samples) - 1, bisect_left(times, end))]
        # samples may span more than the time asked for
        return {
            pid: min(waited_s, end - begin)
            for pid, waited_s in _waited_between(before, after).items()
            if pid not in but
        }

    def stalls(self, begin: float, end: float) -> list[Stall]:
        """When this process did not run between two moments; also a stall that is just over, of which
        the thread does not know yet.
        """
        late = [Stall(due, woken) for due, woken in list(self._late) if woken - due > STALLED_S]
        if (now := self._monotonic()) - self._due > STALLED_S:
            late.append(Stall(self._due, now))
        return within(late, begin, end)

    def starved_at_once(self, begin: float, end: float) -> float:
        """The longest single wait, as far as the kernel's account shows it."""
        self.sample()
        samples = [
            sample
            for sample in list(self._samples)
            if begin - 2 * _SAMPLE_S <= sample.at <= end + _SAMPLE_S
        ]
        # waits in two consecutive intervals may be one wait
        worlds = self._worlds()
        waits = (
            waited_s
            for before, after in zip(samples, samples[2:], strict=False)
            for pid, waited_s in _waited_between(before, after).items()
            if pid not in worlds
        )
        return max(
            [0.0, *self._woken_late(begin, end), *(min(waited, end - begin) for waited in waits)]
        )

    def _woken_late(self, begin: float, end: float) -> list[float]:
        return [min(woken, end) - max(due, begin) for due, woken in list(self._late)]

    def settle(self) -> None:
        """Wait until nothing is starved any more, for ten seconds at most."""
        until = self._monotonic() + _SETTLE_WITHIN_S
        while (now := self._monotonic()) < until:
            time.sleep(_CALM_S)
            if self.starved(now, self._monotonic()) < LATE_S:
                return

    def sample(self) -> None:
        """Ask the kernel how long each process has waited so far."""
        waited = {
            pid: seconds
            for pid in (os.getpid(), *self._pids(), *self._worlds())
            if (seconds := _run_delay(pid)) is not None
        }
        self._samples.append(_Sample(self._monotonic(), waited))

    def _run(self, began: float) -> None:
        while True:
            due = self._due = began + _PERIOD_S
            time.sleep(max(0.0, due - self._monotonic()))
            began = self.woken(due)

    def woken(self, due: float) -> float:
        """Record a wake-up that was due at that time; returns when it happened."""
        now = self._monotonic()
        self._worst = max(self._worst, now - due)
        if now - due > _PERIOD_S:
            self._late.append((due, now))
        self._periods += 1
        if self._periods % _SAMPLE_EVERY == 0:
            self.sample()
        return now


def _waited_between(before: _Sample, after: _Sample) -> dict[int, float]:
    """How long each process waited between two samples."""
    return {pid: after.waited[pid] - before.waited.get(pid, 0.0) for pid in after.waited}


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


def observe(evidence: Evidence, pool: PhonePool, world: Listener | None = None) -> None:
    """Let a case's evidence know about starvation of the runner, its softphones, and its world."""
    own = monitor()

    def kept_from(began: float, ended: float) -> MachineAsked:
        of_world = [] if world is None else world.stalls(began, ended)
        others = [of_world, *pool.stalls(began, ended)]
        still_s = max(sum(stall.seconds for stall in each) for each in others)
        at_once = [stall.seconds for each in others for stall in each]
        stalls = [*at_once, *(stall.seconds for stall in own.stalls(began, ended))]
        return MachineAsked(
            at=time.monotonic(),
            began=began,
            ended=ended,
            stalled_s=sum(stalls),
            longest_stall_s=max(stalls, default=0.0),
            starved_s=max(own.starved(began, ended), still_s),
            starved_at_once_s=max([own.starved_at_once(began, ended), *at_once]),
            stood_still_s=still_s,
            share_waited=own.share_waited(began, ended, None if world is None else world.pid),
        )

    def catch_up() -> None:
        """Wait until stalls that are over by now are known."""
        now = time.monotonic()
        while time.monotonic() < now + _KNOWN_WITHIN_S:
            if pool.have_pulsed(now) and (world is None or world.has_beaten(now)):
                return
            time.sleep(_LOOKED_EVERY_S)

    evidence.kept_from, evidence.catch_up = kept_from, catch_up
