"""What an interface may tell later: that it tells nothing of a call yet does not show that the AI did not get it."""

from __future__ import annotations

import pytest

from harness.calls.measurement import AnsweredBy, Reached
from harness.calls.verdict import Verdict
from harness.scenario.context import line_of
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.synthflow_api import _LAG_S, LateApi, ai_of, call, record


@pytest.mark.parametrize(
    ("after_s", "verdict"), [(0.0, Verdict.FAILED), (_LAG_S / 2, Verdict.FAILED), (60.0, Verdict.PASSED)]
)
def test_a_record_that_comes_later_shows_that_the_ai_got_the_call(
    make_context: MakeContext, after_s: float, verdict: Verdict
) -> None:
    for what in ("was_not_reached", "answered_nothing"):
        ai = ai_of(make_context, LateApi(record(), after_s=after_s))
        getattr(ai, what)(call())
        (found,) = ai._context.evidence.findings
        assert (found.check.partition(".")[0], found.verdict) == ("route", verdict)
        assert isinstance(found.measured, Reached | AnsweredBy)


@pytest.mark.parametrize("is_over", [False, True])
@pytest.mark.parametrize(
    ("after_s", "answered", "is_found"),
    [(_LAG_S / 2, True, True), (60.0, True, False), (_LAG_S / 2, False, False)],
)
def test_a_record_that_comes_later_shows_that_the_ai_answered(
    make_context: MakeContext, after_s: float, answered: bool, is_found: bool, is_over: bool
) -> None:
    """However short the time for the answer was; a call that nobody answered needs no record to be told by."""
    ai = ai_of(make_context, LateApi(record(), after_s=after_s))
    talk = ai.endpoint.expect_call(call(answered=answered, over=is_over), "main", within=0.0)
    assert (talk is not None) is is_found


def test_what_tells_at_once_is_not_waited_for(make_context: MakeContext) -> None:
    ai = ai_of(make_context, LateApi(after_s=0.0), lag_s=60.0, witness=("record", "marks"))
    began = ai._context.clock.monotonic()
    ai.was_not_reached(call())
    ai.answered_nothing(call())
    assert ai._context.clock.monotonic() - began < 10.0


def test_the_ai_was_tried_though_its_record_comes_after_our_own_patience(make_context: MakeContext) -> None:
    ai = ai_of(make_context, LateApi(record(status="busy"), after_s=_LAG_S / 2))
    context = ai._context
    context.patience = 0.0
    ai.was_tried(call(), line_of(context.deployment, context.trunk, str(context.case.line)))
    (found,) = context.evidence.findings
    assert (found.check, found.verdict) == ("route.tried", Verdict.PASSED)


@pytest.mark.parametrize("status", ["user-canceled", "canceled", "busy", "no-answer", "ringing"])
def test_a_call_that_ended_in_any_way_was_tried(make_context: MakeContext, status: str) -> None:
    ai = ai_of(make_context, LateApi(record(status=status), after_s=0.0))
    assert ai.endpoint.asked_for(call()) == [record()["phone_number_to"]]
