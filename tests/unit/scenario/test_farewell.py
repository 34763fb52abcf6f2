"""An AI that is asked to hang up says goodbye first: what its caller's leg is held to begins when it hangs up."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from harness.calls.verdict import Verdict
from harness.deployment import Escalation, Synthflow
from harness.scenario.ai_calls import SynthflowCall
from harness.scenario.context import CaseContext
from harness.scenario.expect import Expect
from harness.witness.call_record import CallRecord
from harness.witness.clock import to_wall
from tests.unit.scenario.conftest import MakeContext

_SPOKEN_S = 0.3


class Goodbye:
    """The record of a call that the AI ends a while after it was asked to."""

    is_down = False

    def __init__(self, ended: float) -> None:
        self.ended = ended

    def call(self, call_id: str) -> CallRecord:
        is_over = time.monotonic() >= self.ended
        witness = {"released_at": to_wall(self.ended) if is_over else None}
        told = {"status": "completed" if is_over else "in-progress", "phone_number_to": "+12065550100"}
        return CallRecord(call_id, told | {"witness": witness})


def asked_to_hang_up(make_context: MakeContext, *witness: str) -> tuple[CaseContext, SynthflowCall, float, float]:
    """A call whose AI was asked; when it was thought to have hung up, and when it did."""
    context = make_context(
        synthflow=Synthflow(poll_s=0.001, lag_s=0.0, witness=witness),
        escalation=Escalation(goodbye_digit="9"),
    )
    api: Any = Goodbye(time.monotonic() + _SPOKEN_S)
    caller: Any = SimpleNamespace(press=lambda digit: None, began=time.monotonic())
    talk = SynthflowCall(context, api, api.call("c1"), caller)
    return context, talk, talk.hang_up(), api.ended


def held_to(context: CaseContext, talk: SynthflowCall, after: float, ended: float | None) -> Verdict:
    """What is found of a caller's leg that ended then."""
    leg: Any = SimpleNamespace(
        label="caller.1", lag_s=0.0, doubt_s=0.0, is_blind=False, released_at=lambda deadline: ended
    )
    Expect(context, leg).released(after=after, farewell_s=talk.farewell_s)
    return context.evidence.findings[-1].verdict


def test_where_its_end_is_told_the_caller_is_held_to_that(make_context: MakeContext) -> None:
    context, talk, after, ended = asked_to_hang_up(make_context, "record", "marks")
    assert after == pytest.approx(ended, abs=0.05)
    limit = context.deployment.expect.released_within_s
    assert held_to(context, talk, after, ended + limit - 0.1) is Verdict.PASSED
    assert held_to(context, talk, after, ended + limit + 0.1) is Verdict.FAILED


def test_a_bare_record_tells_no_moment_so_that_the_ai_has_time_to_speak(make_context: MakeContext) -> None:
    context, talk, after, _ = asked_to_hang_up(make_context, "record")
    limit = context.deployment.expect.released_within_s + context.patience
    assert held_to(context, talk, after, after + limit - 0.1) is Verdict.PASSED
    assert held_to(context, talk, after, after + limit + 0.1) is Verdict.FAILED
    assert held_to(context, talk, after, None) is Verdict.FAILED
