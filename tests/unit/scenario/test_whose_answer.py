"""Whose call the AI has answered: one caller's is no sign that another's has come to it."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import pytest

from harness.calls.verdict import ExpectationError, Verdict
from harness.deployment import Synthflow
from harness.phone.waiter import never_came
from harness.scenario.ai import Ai
from harness.scenario.cast import Cast
from harness.scenario.context import CaseContext
from harness.scenario.endpoints import StandInEndpoint, SynthflowEndpoint
from harness.scenario.people import AssistantOf
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.ringing import ringing
from tests.unit.scenario.synthflow_api import ASSISTANT, CALLER, OTHER, FakeApi, call, record


class Platform:
    """A platform that brings so many calls to the phone in the AI's place, and refuses the others."""

    def __init__(self, *callers: str) -> None:
        self.incoming = [ringing(f"stand-in.{n}", ASSISTANT, caller, 10.0) for n, caller in enumerate(callers, start=1)]
        self._left = list(self.incoming)

    def next_call(self, within: float) -> Any:
        if not self._left:
            raise never_came("a call at stand-in", within, "stand-in", "it never came", "")
        return self._left.pop(0)


def refused(number: str) -> Any:
    found = call(answered=False, over=True, number=number)
    found.state = lambda: SimpleNamespace(code=486, state="disconnected")
    return found


def expect_both(context: CaseContext, endpoint: Any) -> list[Verdict]:
    """Verdicts on who answered a caller whose call came there, and one whose did not."""
    ai = Ai(context)
    ai._endpoint = endpoint
    assistant = AssistantOf(context, ai, Cast(context).line(str(context.case.line)))
    first, second = call(number=CALLER), refused(OTHER)
    context.calls.own += [first, second]
    assistant.expect_call(first, within=0.0)
    with pytest.raises(ExpectationError):
        assistant.expect_call(second, within=0.0)
    return [found.verdict for found in context.evidence.findings if found.check == "landing.answered_by"]


def test_a_stand_in_that_has_one_caller_has_not_answered_the_other(make_context: MakeContext) -> None:
    """A trunk that carries one call: the platform refuses the second caller."""
    context = make_context("CONCURRENT", "stand-in")
    phone: Any = Platform(CALLER)
    assert expect_both(context, StandInEndpoint(context, phone, context.trunk)) == [Verdict.PASSED, Verdict.FAILED]


def test_a_call_that_was_over_before_it_was_looked_for_is_not_the_one_that_is_answered(
    make_context: MakeContext,
) -> None:
    """A stranger's at a place that is shared, who shows no number and has given up; or one that the platform begins anew."""
    context, phone = make_context(ai="stand-in"), Platform(CALLER, CALLER)
    phone.incoming[0].state = "disconnected"
    endpoint = StandInEndpoint(context, phone, context.trunk)  # type: ignore[arg-type]
    talk = endpoint.expect_call(call(number=CALLER), "main", within=0.0)
    assert talk is not None
    assert talk.first_leg.id == "stand-in.2"


@pytest.mark.parametrize("shown", [CALLER, None, "+1415555****"])
def test_a_record_is_of_one_caller_whatever_number_it_shows(make_context: MakeContext, shown: str | None) -> None:
    api: Any = FakeApi([record(phone_number_from=shown)])
    context = make_context("CONCURRENT", api=api, synthflow=Synthflow(poll_s=0.001, lag_s=0.0))
    assert expect_both(context, SynthflowEndpoint(context, api)) == [Verdict.PASSED, Verdict.FAILED]


def test_a_record_that_comes_at_the_last_moment_is_the_calls(make_context: MakeContext) -> None:
    """It is told between the last look for the call and the one for who has answered it."""

    class Late(FakeApi):
        looks = itertools.count()

        def calls(self, since: float, models: Any = ()) -> Any:
            found = super().calls(since, models)
            return found if next(self.looks) else []

    api: Any = Late([record()])
    context = make_context(api=api, synthflow=Synthflow(poll_s=0.001, lag_s=0.0))
    ai = Ai(context)
    ai._endpoint = SynthflowEndpoint(context, api)
    of = call(answered=False)
    talk = AssistantOf(context, ai, Cast(context).line(str(context.case.line))).expect_call(of, within=0.0)
    assert talk.record is not None
    assert talk.record.id == "c1"
