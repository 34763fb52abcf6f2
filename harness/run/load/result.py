"""What a load found: ``load.json``, the table, and a picture (SVG) of calls up over time, setup
times and what did not pass.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from harness.case.verdict import INTERRUPTED, Verdict, exit_code
from harness.deployment import Kind
from harness.report.markup import render
from harness.support.files import json_file, whole_file

FILE = "load.json"
#: Of ``load.json``.
FORMAT: Final = 1


def percentile(values: Sequence[float], share: float) -> float | None:
    """By nearest rank, so always a measured value; None without values."""
    if not values:
        return None
    rank = math.ceil(share * len(values))  # from 1
    return sorted(values)[max(0, rank - 1)]


@dataclass(frozen=True, kw_only=True)
class Percentiles:
    """In milliseconds; None where nothing was measured."""

    of: int  #: number of measured calls
    p50: float | None
    p95: float | None
    p99: float | None

    @classmethod
    def among(cls, values: Iterable[float | None]) -> Percentiles:
        """The percentiles of the values that were measured."""
        known = [round(value, 1) for value in values if value is not None]
        return cls(
            of=len(known),
            p50=percentile(known, 0.5),
            p95=percentile(known, 0.95),
            p99=percentile(known, 0.99),
        )


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
    #: 0 only when every call asked for was placed, verified and ended.
    exit_code: int = field(init=False, default=0)
    #: The most calls that were up and verified at once at the end of a step.
    calls_held: int = field(init=False, default=0)
    first_failing_step: int | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.exit_code = exit_code([self.verdict])
        self.calls_held = max((step.held for step in self.steps), default=0)
        first = self.first_failing
        self.first_failing_step = first.step if first else None

    @property
    def first_failing(self) -> StepResult | None:
        """The first step in which a call did not pass; a step that only Ctrl-C ended does not
        count.
        """
        first = next((step for step in self.steps if step.verdict is not Verdict.PASSED), None)
        if first is None or not self.interrupted or first is not self.steps[-1]:
            return first
        if first.verdict is not Verdict.BROKEN:
            return first
        failed = [call for call in self.calls if call.failed_in == first.step]
        is_stopped = all(call.message == INTERRUPTED for call in failed)
        return None if is_stopped else first

    def write(self, run: Path) -> None:
        """Write ``load.json`` and ``load.svg``."""
        whole_file.write(run / FILE, json_file.text(self) + "\n")
        whole_file.write(run / PICTURE, svg(self))


# -- the picture

PICTURE = "load.svg"


def svg(result: LoadResult) -> str:
    """Calls up above, setup times below, on one time axis in seconds."""
    course, up = [], 0
    ends = 1.0
    for at, change in _changes(result.calls):
        course.append((at, up, up + change))
        up += change
        ends = max(ends, at)
    most_ms = 10.0
    for call in result.calls:
        ends = max(ends, call.invited_s or 0.0)
        most_ms = max(most_ms, call.setup_ms or 0.0)
    every = _round_up(ends / 8)
    return render(
        "load.svg.j2",
        result=result,
        title=f"{result.deployment}: {result.calls_held} of {result.asked.calls} calls held and verified",
        ends=ends,
        ticks=[index * every for index in range(int(ends / every) + 1)],
        course=course,
        most_ms=_round_up(most_ms),
    )


def _changes(calls: Iterable[CallResult]) -> list[tuple[float, int]]:
    """When a call came up (+1) or was over (-1), in order."""
    answered = [call for call in calls if call.answered_s is not None]
    changes = [(call.answered_s or 0.0, 1) for call in answered]
    changes += [(call.over_s, -1) for call in answered if call.over_s is not None]
    return sorted(changes)


def _round_up(value: float) -> float:
    """The next of 1, 2, 5, 10 … that is not below ``value``."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= value)
