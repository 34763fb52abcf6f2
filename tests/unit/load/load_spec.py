"""A load result for tests."""

from __future__ import annotations

from harness.case.verdict import Verdict
from harness.run.load.result import CallResult, LoadAsked, LoadResult, Percentiles, StepResult

NONE = Percentiles(of=0, p50=None, p95=None, p99=None)


def step(number: int, calls: int, held: int, verdict: Verdict) -> StepResult:
    return StepResult(
        step=number, calls=calls, placed=1, verified=1, held=held, cps=None, setup_ms=NONE, post_dial_delay_ms=NONE,
        two_way_ms=NONE, verdict=verdict, message="" if verdict is Verdict.PASSED else "call 2 <b>: +13125550100 silent",
    )  # fmt: skip


def call(number: int, verdict: Verdict, answered_s: float | None = 1.0) -> CallResult:
    return CallResult(
        call=number, step=number, leg=f"caller.{number}", lane="X", verdict=verdict, message="", refused_with="",
        failed_in=None, ended=True, invited_s=0.5, answered_s=answered_s, over_s=answered_s and 4.0, setup_ms=500.0,
        post_dial_delay_ms=200.0, two_way_ms=None, rx_packets=1, rx_lost=0,
    )  # fmt: skip


LOAD = LoadResult(
    deployment="lab", kind="simulated", site="here", asked=LoadAsked(calls=2, cps=1.0, for_s=1.0), lanes=[],
    steps=[step(1, 1, 1, Verdict.PASSED), step(2, 2, 1, Verdict.FAILED)],
    calls=[call(1, Verdict.PASSED), call(2, Verdict.FAILED, None)], verdict=Verdict.FAILED, interrupted=False, wall_s=4.0,
)  # fmt: skip
