"""The figures of a load: ``load.json``, and what the table and the picture are made from."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from harness.calls.verdict import INTERRUPTED, Verdict, exit_code, worst
from harness.deployment import Kind
from harness.run.load.call import LoadCall
from harness.run.load.steps import Steps
from harness.support.files import json_file, whole_file

FILE = "load.json"
#: Of ``load.json``.
FORMAT: Final = 1


def percentile(values: Sequence[float], share: float) -> float | None:
    """By nearest rank: a value that was measured, never one between two. None of nothing."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)] if values else None


@dataclass(frozen=True, kw_only=True)
class Percentiles:
    """In milliseconds; None where nothing was measured."""

    of: int  #: so many calls were measured: one that was never answered is in none
    p50: float | None
    p95: float | None
    p99: float | None

    @classmethod
    def among(cls, values: Iterable[float | None]) -> Percentiles:
        """The percentiles of the values that were measured."""
        known = [round(value, 1) for value in values if value is not None]
        return cls(of=len(known), p50=percentile(known, 0.5), p95=percentile(known, 0.95), p99=percentile(known, 0.99))


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """One step: the calls that were begun in it, and how all that were up then did."""

    step: int  #: from 1
    calls: int  #: up at its end, as asked
    placed: int  #: in this step
    verified: int  #: of those, verdict passed
    held: int  #: of all placed so far, those without a failure by the end of this step
    cps: float | None  #: INVITEs a second, as they left; None for a single one
    setup_ms: Percentiles  #: INVITE → 200
    post_dial_delay_ms: Percentiles  #: INVITE → 18x, or 200
    two_way_ms: Percentiles  #: 200 → heard both ways
    verdict: Verdict
    message: str  #: of the first call that ended so; empty when all passed


@dataclass(frozen=True, kw_only=True)
class CallResult:
    """One call."""

    call: int
    step: int
    leg: str
    lane: str  #: the case it is one of, by id
    verdict: Verdict
    message: str
    refused_with: str  #: the final response where the call was refused, as ``486 Busy Here``
    failed_in: int | None  #: the step it did not pass in
    ended: bool
    invited_s: float | None  #: since the load began
    answered_s: float | None
    over_s: float | None
    setup_ms: float | None
    post_dial_delay_ms: float | None
    two_way_ms: float | None
    rx_packets: int
    rx_lost: int


@dataclass(frozen=True, kw_only=True)
class LoadAsked:
    """What was asked for."""

    calls: int
    cps: float  #: calls begun in a second
    for_s: float  #: how long all of them were to be held


@dataclass(frozen=True, kw_only=True)
class LaneResult:
    """Calls of one case: its number and its trunk."""

    case: str
    trunk: str
    line: str
    trunk_max_concurrent_calls: int
    evidence: str  #: its directory in the run


@dataclass(kw_only=True)
class LoadResult:
    """A load: what ``load.json`` holds, and ``harness load --json`` prints."""

    format: Literal[1] = FORMAT
    deployment: str
    kind: Kind
    site: str
    asked: LoadAsked
    lanes: list[LaneResult]
    steps: list[StepResult]
    calls: list[CallResult]
    verdict: Verdict
    interrupted: bool
    wall_s: float  #: without the start of a simulated world
    notes: list[str] = field(default_factory=list)
    exit_code: int = field(init=False, default=0)  #: 0 only when every call asked for was placed, verified and ended
    calls_held: int = field(
        init=False, default=0
    )  #: the most calls that were up and verified at once at the end of a step
    first_failing_step: int | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.exit_code = exit_code([self.verdict])
        self.calls_held = max((step.held for step in self.steps), default=0)
        self.first_failing_step = first.step if (first := self.first_failing) else None

    @property
    def first_failing(self) -> StepResult | None:
        """The first step in which a call did not pass; the one that Ctrl-C ended is none by that."""
        first = next((step for step in self.steps if step.verdict is not Verdict.PASSED), None)
        if first is None or not self.interrupted or first is not self.steps[-1]:
            return first
        failed = [call for call in self.calls if call.failed_in == first.step]
        is_stopped = first.verdict is Verdict.BROKEN and all(call.message == INTERRUPTED for call in failed)
        return None if is_stopped else first

    def write(self, run: Path) -> None:
        """Write ``load.json``."""
        whole_file.write(run / FILE, json_file.text(self) + "\n")


def result(steps: Steps, *, began: float, wall_s: float) -> LoadResult:
    """The result, when the last call is over; ``began`` is monotonic."""
    deployment = steps.lanes[0].context.deployment
    return LoadResult(
        deployment=deployment.name,
        kind=deployment.kind,
        site=deployment.site,
        asked=LoadAsked(calls=steps.plan.calls, cps=steps.plan.cps, for_s=steps.plan.hold_s),
        lanes=[
            LaneResult(
                case=lane.context.case.id,
                trunk=lane.context.case.trunk,
                line=lane.line.name,
                trunk_max_concurrent_calls=lane.line.trunk.max_concurrent_calls,
                evidence=f"cases/{lane.recorder.directory.name}",
            )
            for lane in steps.lanes
        ],
        steps=[_step(number, level, steps) for number, level in enumerate(steps.reached, 1)],
        calls=[_call(call, began) for call in steps.calls],
        verdict=steps.verdict,
        interrupted=steps.interrupted,
        wall_s=round(wall_s, 3),
    )


def _step(number: int, level: int, steps: Steps) -> StepResult:
    new = [call for call in steps.calls if call.step == number]
    so_far = [call for call in steps.calls if call.step <= number]
    failed = [call for call in so_far if call.failed_in == number]
    sound = [call for call in so_far if call.failed_in is None or call.failed_in > number]
    invited = sorted(at for call in new if (at := call.invited_at) is not None)
    complete = len(so_far) == level and not failed
    found = worst(call.verdict for call in failed)
    return StepResult(
        step=number,
        calls=level,
        placed=len(invited),
        verified=sum(call.verdict is Verdict.PASSED for call in new),
        held=len(sound),
        cps=round((len(invited) - 1) / (invited[-1] - invited[0]), 2) if len(invited) > 1 else None,
        setup_ms=Percentiles.among(call.setup_ms for call in new),
        post_dial_delay_ms=Percentiles.among(call.post_dial_delay_ms for call in new),
        two_way_ms=Percentiles.among(call.two_way_ms for call in new),
        verdict=Verdict.PASSED if complete else found or Verdict.FAILED,
        message=next((_why(call) for call in failed if call.verdict is found), ""),
    )


def _why(call: LoadCall) -> str:
    refused = f" (refused with {call.refused_with})" if call.refused_with else ""
    return f"call {call.index} ({call.label}): {call.message}{refused}"


def _call(call: LoadCall, began: float) -> CallResult:
    up = call.up_between
    counted = call.statistics

    def since(at: float | None) -> float | None:
        return None if at is None else round(at - began, 3)

    def ms(value: float | None) -> float | None:
        return None if value is None else round(value, 1)

    return CallResult(
        call=call.index,
        step=call.step,
        leg=call.label,
        lane=call.lane.context.case.id,
        verdict=call.verdict,
        message=call.message,
        refused_with=call.refused_with,
        failed_in=call.failed_in,
        ended=call.ended,
        invited_s=since(call.invited_at),
        answered_s=since(up[0]) if up else None,
        over_s=since(up[1]) if up else None,
        setup_ms=ms(call.setup_ms),
        post_dial_delay_ms=ms(call.post_dial_delay_ms),
        two_way_ms=ms(call.two_way_ms),
        rx_packets=counted.rx_packets if counted else 0,
        rx_lost=counted.rx_lost if counted else 0,
    )
