"""Only one assistant gets a call: what another has of it is found where the AI is Synthflow, and where it is a phone of ours."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from harness.calls.verdict import Verdict
from harness.deployment import Synthflow
from harness.scenario.ai import Ai
from harness.scenario.cast import Cast
from harness.scenario.conclusion import conclude
from harness.scenario.context import CaseContext
from harness.scenario.endpoints import StandInEndpoint, SynthflowEndpoint
from harness.scenario.people import AssistantOf
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.ringing import ringing
from tests.unit.scenario.synthflow_api import ASSISTANT, CALLER, OTHER, FakeApi, LateApi, call, record


def another(context: CaseContext) -> tuple[str, str]:
    """Name and number of an assistant that the call is not for."""
    return next((name, one.did) for name, one in context.deployment.assistants.items() if one.did != ASSISTANT)


def answered_by(context: CaseContext, endpoint: Any, of: Any) -> list[Any]:
    """What is found of who answered, once the case is over."""
    ai = Ai(context)
    ai._endpoint = endpoint
    line = Cast(context).line(str(context.case.line))
    AssistantOf(context, ai, line).expect_call(of, within=0.0)
    conclude(context, probe=False)
    return [finding for finding in context.evidence.findings if finding.check == "landing.answered_by"]


def case(make_context: MakeContext, *records: dict[str, Any], after_s: float = 0.0, **synthflow: Any) -> Any:
    api: Any = LateApi(*records, after_s=after_s)
    context = make_context(api=api, synthflow=Synthflow(poll_s=0.001, **{"lag_s": 0.0} | synthflow))
    return context, SynthflowEndpoint(context, api)


@pytest.mark.parametrize("status", ["in-progress", "completed"])
def test_a_second_assistant_that_took_the_call_as_well(make_context: MakeContext, status: str) -> None:
    context, _ = case(make_context)
    name, number = another(context)
    context, endpoint = case(make_context, record(), record(call_id="c2", phone_number_to=number, status=status))
    *_, found = answered_by(context, endpoint, call())
    assert found.verdict is Verdict.FAILED
    assert found.actual == f"main answered, and the call went to {name} as well"


def test_a_second_assistant_of_which_is_told_later(make_context: MakeContext) -> None:
    class Later(LateApi):
        def calls(self, since: float, models: Any = ()) -> Any:
            told = FakeApi.calls(self, since, models)
            return told if self.monotonic() >= self.from_then else told[:1]

    context, _ = case(make_context)
    _, number = another(context)
    for after_s, expected in ((0.2, Verdict.FAILED), (60.0, Verdict.PASSED)):
        api: Any = Later(record(), record(call_id="c2", phone_number_to=number), after_s=after_s)
        context = make_context(api=api, synthflow=Synthflow(poll_s=0.001, lag_s=0.4))
        api.monotonic = context.clock.monotonic
        of = call()
        of.answered_at = lambda began=of.began: began
        assert answered_by(context, SynthflowEndpoint(context, api), of)[-1].verdict is expected


@pytest.mark.parametrize(
    "more",
    [
        {"phone_number_from": OTHER},  # a stranger's
        {"status": "failed"},  # who refused it did not answer
        {"type_of_call": "outbound"},
        {"start_time": str(int((time.time() - 60) * 1000))},
        {"phone_number_to": ASSISTANT},
        {"phone_number_to": "+18885550100"},  # nobody's number
    ],
)
def test_what_is_no_second_assistants(make_context: MakeContext, more: dict[str, Any]) -> None:
    context, _ = case(make_context)
    _, number = another(context)
    context, endpoint = case(make_context, record(), record(call_id="c2", **{"phone_number_to": number} | more))
    assert [found.verdict for found in answered_by(context, endpoint, call())] == [Verdict.PASSED]


def test_a_caller_who_calls_two_numbers_has_two_assistants(make_context: MakeContext) -> None:
    context, _ = case(make_context)
    _, number = another(context)
    context, endpoint = case(make_context, record(), record(call_id="c2", phone_number_to=number))
    of, second = call(), call()
    context.calls.own += [of, second]
    ai = Ai(context)
    ai._endpoint = endpoint
    AssistantOf(context, ai, Cast(context).line(str(context.case.line))).expect_call(of, within=0.0)
    assert [list(look()) for look in context.last_looks] == [[]]


@pytest.mark.parametrize("written", ["12065550100", "0012065550100", "2065550100", "+1-206-555-0100"])
def test_the_assistant_s_number_written_otherwise_is_the_assistant_s(make_context: MakeContext, written: str) -> None:
    """How it is to be written is another question, which rows ask on their own: a hold is a hold without the plus, too."""
    context = make_context(ai="stand-in")
    taken, again = ringing("stand-in.1", written, CALLER, 10.0), ringing("stand-in.2", written, CALLER, 10.1)
    phone: Any = SimpleNamespace(incoming=[taken, again], next_call=lambda within: taken)
    endpoint = StandInEndpoint(context, phone, context.trunk)
    of = call()
    of.began = 10.0
    talk = endpoint.expect_call(of, "main", 0.0)
    assert talk is not None
    assert (talk.assistant, endpoint.asked_for(of)) == ("main", [ASSISTANT] * 2)
    assert endpoint.others(of, "main") == ["main"]


@pytest.mark.parametrize("written", ["12065550188", "+442065550100", "front-desk"])
def test_what_is_no_way_to_write_it_is_nobodys(make_context: MakeContext, written: str) -> None:
    context = make_context(ai="stand-in")
    taken = ringing("stand-in.1", written, CALLER, 10.0)
    phone: Any = SimpleNamespace(incoming=[taken], next_call=lambda within: taken)
    endpoint = StandInEndpoint(context, phone, context.trunk)
    talk = endpoint.expect_call(call(), "main", 0.0)
    assert talk is not None
    assert (talk.assistant, endpoint.asked_for(call())) == (None, [written])


def test_a_call_that_was_moved_to_another_dialog_is_one_call(make_context: MakeContext) -> None:
    """A platform may replace its dialog by another one, as when it changes its node (RFC 3891)."""
    context = make_context(ai="stand-in")
    taken, moved = (
        ringing("stand-in.1", ASSISTANT, CALLER, 10.0),
        ringing("stand-in.2", ASSISTANT, CALLER, 10.1, "confirmed"),
    )
    phone: Any = SimpleNamespace(incoming=[taken, moved], next_call=lambda within: taken)
    endpoint = StandInEndpoint(context, phone, context.trunk)
    of = call()
    of.began = 10.0
    assert endpoint.expect_call(of, "main", 0.0) is not None
    assert endpoint.others(of, "main") == ["main"]
    moved.predecessor = taken
    assert endpoint.others(of, "main") == []


def test_a_stand_in_that_is_called_for_another_assistant_as_well(make_context: MakeContext) -> None:
    context = make_context(ai="stand-in")
    name, number = another(context)
    legs = [
        ringing("stand-in.1", ASSISTANT, CALLER, 10.0),
        ringing("stand-in.2", number, CALLER, 10.1),
        ringing("stand-in.3", number, OTHER, 10.1),
    ]
    phone: Any = SimpleNamespace(incoming=legs)
    endpoint = StandInEndpoint(context, phone, context.trunk)
    took: Any = SimpleNamespace(first_leg=legs[0])
    endpoint.taken = [took]
    of = call()
    found = {}
    for began in (10.0, 10.05, 11.0):
        of.began = began
        found[began] = endpoint.others(of, "main")
    assert found == {10.0: [name], 10.05: [name], 11.0: []}


@pytest.mark.parametrize(
    ("state", "caller", "called"),
    [
        ("early", CALLER, ["main"]),  # it would answer that one, too
        ("confirmed", CALLER, ["main"]),
        ("disconnected", CALLER, []),  # another way to it that was tried, and given up (RFC 3261 section 16.7, step 10)
        ("early", OTHER, []),
    ],
)
def test_a_call_that_rings_on_at_the_assistant_that_has_taken_it(
    make_context: MakeContext, state: str, caller: str, called: list[str]
) -> None:
    context = make_context(ai="stand-in")
    taken, again = ringing("stand-in.1", ASSISTANT, CALLER, 10.0), ringing("stand-in.2", ASSISTANT, caller, 10.1, state)
    phone: Any = SimpleNamespace(incoming=[taken, again], next_call=lambda within: taken)
    endpoint = StandInEndpoint(context, phone, context.trunk)
    of = call()
    of.began = 10.0
    assert endpoint.expect_call(of, "main", 0.0) is not None
    assert endpoint.others(of, "main") == called
    context.calls.own.append(call())
    assert endpoint.others(of, "main") == [], "it may be another call of the same caller"


def test_who_never_had_the_call_is_not_said_to_have_answered(make_context: MakeContext) -> None:
    context = make_context(ai="stand-in")
    name, number = another(context)
    taken = ringing("stand-in.1", number, CALLER, 10.0)
    phone: Any = SimpleNamespace(incoming=[taken], next_call=lambda within: taken)
    of = call()
    of.began = 10.0
    found = answered_by(context, StandInEndpoint(context, phone, context.trunk), of)
    assert [finding.actual for finding in found] == [f"{name} answered"]
