"""Places the calls of a load in steps, holds them, ends them; whatever happens, every call is hung up."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait

from harness.calls.verdict import Verdict, worst
from harness.run.load.call import LoadCall
from harness.run.load.lane import Lane
from harness.run.load.plan import LoadPlan

#: Threads that verify: each waits most of the time, and all of them are woken by every event.
THREADS = 8
#: How often calls that are placed meanwhile are looked for, once a load is stopped.
_AGAIN_S = 0.2

#: Called with the number of a step, and all calls so far.
OnStep = Callable[[int, Sequence[LoadCall]], None]


class Steps:
    """One load. ``on_step`` is called after each step."""

    def __init__(self, plan: LoadPlan, lanes: Sequence[Lane], on_step: OnStep) -> None:
        self.plan = plan
        self.lanes = lanes
        self.calls: list[LoadCall] = []
        self.reached: list[int] = []  #: the levels of the steps that were begun
        self.interrupted = False
        self._turns = itertools.cycle(lanes)
        self._on_step = on_step
        self._placing: list[Future[None]] = []
        self._stopped = threading.Event()
        self._pace = threading.Lock()
        self._next = 0.0  #: when a call may be dialled again (monotonic)

    def run(self) -> None:
        """Run the load to its end. On Ctrl-C (``KeyboardInterrupt``) all calls are hung up, and the rest is left out."""
        executor = ThreadPoolExecutor(THREADS, thread_name_prefix="load")
        try:
            try:
                self._ramp_up(executor)
            except KeyboardInterrupt:
                self._stop()
            self._ramp_down(executor)
        except KeyboardInterrupt:  # while they were being ended
            self._stop()
        finally:
            self._stopped.set()
            executor.shutdown(wait=False, cancel_futures=True)
            self._hang_up_all()
            # A call whose turn to dial had come when the load was stopped may begin only now.
            while wait(self._placing, _AGAIN_S).not_done:
                self._hang_up_all()
            executor.shutdown(wait=True)

    def _hang_up_all(self) -> None:
        for lane in self.lanes:
            lane.hang_up()

    def _stop(self) -> None:
        """Place nothing more, and end what is up now: then whatever waits for it ends, too."""
        self.interrupted = True
        self._stopped.set()
        self._hang_up_all()
        for lane in self.lanes:
            lane.interrupted()
        for call in self.calls:
            call.interrupted(len(self.reached))

    def _ramp_up(self, executor: ThreadPoolExecutor) -> None:
        began, placed = time.monotonic(), 0
        for number, level in enumerate(self.plan.levels, 1):
            self.reached.append(level)
            new: list[Future[None]] = []
            while placed < level:
                self._until(began + placed / self.plan.cps)
                call = LoadCall(placed + 1, number, next(self._turns))
                self.calls.append(call)
                new.append(executor.submit(self._place, call))
                placed += 1
            self._placing += new
            _finish(new)
            if number == len(self.plan.levels) and self._all_passed:
                self._until(time.monotonic() + self.plan.hold_s)
            held = [
                call for call in self.calls if call.is_up or call.failed_in is None
            ]  # also calls that the far end has ended
            _finish([executor.submit(call.verify_again, number) for call in held])
            self._on_step(number, self.calls)
            if not self._all_passed:
                return
            began = time.monotonic() - placed / self.plan.cps  # a step begins when the last one is verified

    @property
    def _all_passed(self) -> bool:
        return all(call.failed_in is None for call in self.calls)

    def _place(self, call: LoadCall) -> None:
        if not self._stopped.is_set():
            call.place(self._may_dial)

    def _may_dial(self) -> bool:
        """Wait for the rate, which also holds for calls that have waited for something else; false when the load was stopped."""
        with self._pace:
            self._until(self._next)
            self._next = time.monotonic() + 1.0 / self.plan.cps
            return not self._stopped.is_set()

    def _until(self, at: float) -> None:
        """Wait until then (monotonic), unless the load is stopped."""
        self._stopped.wait(max(0.0, at - time.monotonic()))

    def _ramp_down(self, executor: ThreadPoolExecutor) -> None:
        """End them at the rate they were begun with, the first one first; all at once when the load was stopped."""
        began = time.monotonic()
        ends: list[Future[None]] = []
        for index, call in enumerate(self.calls):
            if not self.interrupted:
                self._until(began + index / self.plan.cps)
            ends.append(executor.submit(call.end, None if self.interrupted else len(self.reached)))
        _finish(ends)
        if not self.interrupted:
            _finish([executor.submit(call.conclude, len(self.reached)) for call in self.calls])

    @property
    def verdict(self) -> Verdict:
        """Passed when all calls asked for were placed, verified and ended."""
        found = worst(call.verdict for call in self.calls) or Verdict.FAILED
        if found is not Verdict.PASSED:
            return found
        all_placed = len(self.calls) == self.plan.calls and all(call.was_placed for call in self.calls)
        return Verdict.PASSED if all_placed and all(call.ended for call in self.calls) else Verdict.FAILED


def _finish(futures: Iterable[Future[None]]) -> None:
    """Wait for all of them. Raises what one of them raised: a fault of the harness."""
    for future in futures:
        future.result()
