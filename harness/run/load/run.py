"""A load from its first lease to its files: its calls are placed in steps, held and ended; whatever
happens, each is hung up.

``reports/load/<run>/`` holds ``load.json``, ``load.svg`` and the evidence.
"""

from __future__ import annotations

import dataclasses
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from functools import partial
from itertools import cycle, islice
from pathlib import Path

from harness.case.verdict import Verdict, worst
from harness.deployment import Deployment, Timings
from harness.deployment.limits import LEG_MARKS, CallGate, Marks
from harness.errors import WorldLostError
from harness.integrations.matrix import Case
from harness.phone.pool import PhonePool
from harness.report.case_document import is_masked
from harness.report.run_directory import create
from harness.run.load.call import Lane, LoadCall
from harness.run.load.plan import LoadPlan
from harness.run.load.result import (
    CallResult,
    LaneResult,
    LoadAsked,
    LoadResult,
    Percentiles,
    StepResult,
)
from harness.run.plugin.starvation import LATE_S, monitor
from harness.run.plugin.worlds import erred, heartbeat
from harness.support.heartbeat import Listener
from harness.support.mask import mask_fields
from harness.witness.synthflow import Apis

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
        self._turns = cycle(lanes)
        self._on_step = on_step
        self._placing: list[Future[None]] = []
        self._stopped = threading.Event()
        self._pace = threading.Lock()
        self._next = 0.0  #: when a call may be dialled again (monotonic)

    def run(self) -> None:
        """Run the load to its end. On Ctrl-C (``KeyboardInterrupt``) all calls are hung up, and the
        rest is left out.
        """
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
            # a call may begin only now if its turn came as the load was stopped
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
        """Place the calls step by step, and hold them after the last step. A step in which a call
        fails is the last.
        """
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
            # also calls that the far end has ended
            held = [call for call in self.calls if call.is_up or call.failed_in is None]
            _finish([executor.submit(call.verify_again, number) for call in held])
            self._on_step(number, self.calls)
            if not self._all_passed:
                return
            # a step begins when the last one is verified
            began = time.monotonic() - placed / self.plan.cps

    @property
    def _all_passed(self) -> bool:
        return all(call.failed_in is None for call in self.calls)

    def _place(self, call: LoadCall) -> None:
        if not self._stopped.is_set():
            call.place(self._may_dial)

    def _may_dial(self) -> bool:
        """Wait for the rate, which also holds for calls that have waited for something else; false
        when the load was stopped.
        """
        with self._pace:
            self._until(self._next)
            self._next = time.monotonic() + 1.0 / self.plan.cps
            return not self._stopped.is_set()

    def _until(self, at: float) -> None:
        """Wait until then (monotonic), unless the load is stopped."""
        self._stopped.wait(max(0.0, at - time.monotonic()))

    def _ramp_down(self, executor: ThreadPoolExecutor) -> None:
        """End them at the rate they were begun with, the first one first; all at once when the load
        was stopped.
        """
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
        complete = [call for call in self.calls if call.was_placed and call.ended]
        if found is Verdict.PASSED and len(complete) != self.plan.calls:
            return Verdict.FAILED
        return found


def _finish(futures: Iterable[Future[None]]) -> None:
    """Wait for all of them. Raises what one of them raised: a fault of the harness."""
    for future in futures:
        future.result()


#: A note is made when the rate was below this share of the one asked for.
_RATE_MISSED = 0.8


def load(
    deployment: Deployment,
    cases: Sequence[Case],
    plan: LoadPlan,
    *,
    timings: Timings,
    reports: Path,
    scratch: Path,
    on_step: OnStep,
) -> tuple[LoadResult, Path]:
    """Place the calls of ``plan``; return the results, numbers of a real deployment masked, and the
    run's directory.

    ``on_step`` is called after each step.

    Raises :class:`BrokenError` for what this machine cannot give: phones, registrations, marks,
    disk.
    """
    run = create(reports / "load")
    began = time.monotonic()
    with ExitStack() as stack:
        pool = stack.enter_context(PhonePool(scratch / "phones"))
        monitor().watch(lambda: pool.pids)
        drawn = Marks(0, 1, secrets.randbits(64)).of_case()
        marks = iter(list(islice(drawn, LEG_MARKS)))  # a list's: threads share it
        apis = stack.enter_context(Apis())
        gate = CallGate(scratch / "gate", deployment.limits)
        lanes = []
        world = _listen_to_the_world(deployment, scratch)
        for index, case in enumerate(cases):
            share = len(range(index, plan.calls, len(cases)))
            reached = deployment.reached_over(case.trunk, case.line)
            api = apis(reached)
            lane = Lane(run, case, reached, timings, pool, marks, api, gate, share, world)
            lanes.append(stack.enter_context(lane))
            if world is not None:
                context = lane.context
                fault = partial(_fault, world, deployment.name, context.began)
                context.evidence.world_fault = fault
        for lane in lanes:
            lane.get_ready()
        steps = Steps(plan, lanes, on_step)
        steps.run()
        found = result(steps, began=began, wall_s=time.monotonic() - began)
        found = dataclasses.replace(found, notes=_notes(lanes, plan, found.steps))
    if is_masked(deployment):
        found = mask_fields(found)
    found.write(run)
    return found, run


def _listen_to_the_world(deployment: Deployment, control: Path) -> Listener | None:
    """Listens for the world's stalls and errors; None for a real platform."""
    if deployment.kind != "simulated":
        return None
    listener = Listener(heartbeat(control, deployment.name))
    listener.listen("listen to the world")
    return listener


def _fault(world: Listener, name: str, since: float) -> WorldLostError | None:
    return WorldLostError(erred(name)) if world.has_erred(since) else None


def _notes(lanes: Sequence[Lane], plan: LoadPlan, steps_found: Sequence[StepResult]) -> list[str]:
    """What may explain the figures: what calls waited for, and limits that were exceeded."""
    notes = []
    for lane in lanes:
        notes += lane.notes
        trunk, most = lane.line.trunk, lane.line.trunk.max_concurrent_calls
        if lane.calls > most:
            notes.append(
                f"trunk {trunk.name} is declared with {most} calls at once, and was asked for {lane.calls}"
            )
    if (late := monitor().take_lateness()) >= LATE_S:
        notes.append(f"this machine was busy: the harness was woken up to {late:.1f} s late")
    rates = [step.cps for step in steps_found if step.cps is not None]
    if rates and min(rates) < _RATE_MISSED * plan.cps:
        notes.append(
            f"a step's calls left at {min(rates):g} a second: a call waits until the AI's side of the last one from its number "
            f"is found (more callers in the file make more calls a second), and while {THREADS} others are being verified"
        )
    return notes


# -- its figures


def result(steps: Steps, *, began: float, wall_s: float) -> LoadResult:
    """The result, when the last call is over; ``began`` is monotonic."""
    deployment = steps.lanes[0].context.deployment
    calls = [call.result(began) for call in steps.calls]
    return LoadResult(
        deployment=deployment.name,
        kind=deployment.kind,
        site=deployment.site,
        asked=LoadAsked(calls=steps.plan.calls, cps=steps.plan.cps, for_s=steps.plan.hold_s),
        lanes=[_lane(lane) for lane in steps.lanes],
        steps=[_step(number, level, calls) for number, level in enumerate(steps.reached, 1)],
        calls=calls,
        verdict=steps.verdict,
        interrupted=steps.interrupted,
        wall_s=round(wall_s, 3),
    )


def _lane(lane: Lane) -> LaneResult:
    return LaneResult(
        case=lane.context.case.id,
        trunk=lane.context.case.trunk,
        line=lane.line.name,
        trunk_max_concurrent_calls=lane.line.trunk.max_concurrent_calls,
        evidence=f"cases/{lane.recorder.directory.name}",
    )


def _step(number: int, level: int, calls: Sequence[CallResult]) -> StepResult:
    """The figures of a step: of the calls begun in it, and of all that were up at its end."""
    new = [call for call in calls if call.step == number]
    so_far = [call for call in calls if call.step <= number]
    failed = [call for call in so_far if call.failed_in == number]
    sound = [call for call in so_far if call.failed_in is None or call.failed_in > number]
    invited = sorted(call.invited_s for call in new if call.invited_s is not None)
    span_s = invited[-1] - invited[0] if invited else 0.0
    complete = len(so_far) == level and not failed
    found = worst(call.verdict for call in failed)
    return StepResult(
        step=number,
        calls=level,
        placed=len(invited),
        verified=sum(call.verdict is Verdict.PASSED for call in new),
        held=len(sound),
        cps=round((len(invited) - 1) / span_s, 2) if span_s else None,
        setup_ms=Percentiles.among(call.setup_ms for call in new),
        post_dial_delay_ms=Percentiles.among(call.post_dial_delay_ms for call in new),
        two_way_ms=Percentiles.among(call.two_way_ms for call in new),
        verdict=Verdict.PASSED if complete else found or Verdict.FAILED,
        message=next((_why(call) for call in failed if call.verdict is found), ""),
    )


def _why(call: CallResult) -> str:
    refused = f" (refused with {call.refused_with})" if call.refused_with else ""
    return f"call {call.call} ({call.leg}): {call.message}{refused}"
