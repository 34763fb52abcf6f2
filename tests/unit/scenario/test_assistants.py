"""Which assistant took a call, and what is known without an API."""

from __future__ import annotations

import itertools
import time
from types import SimpleNamespace
from typing import Any

import pytest

from harness.calls.verdict import ExpectationError, Verdict
from harness.deployment import Synthflow
from harness.errors import FarEndError
from harness.phone.waiter import never_came
from harness.report.evidence import CaseEvidence
from harness.scenario.ai import Ai
from harness.scenario.cast import Cast
from harness.scenario.conclusion import conclude
from harness.scenario.context import CaseContext, line_of
from harness.scenario.endpoints import StandInEndpoint, SynthflowEndpoint
from harness.scenario.people import AssistantOf
from harness.witness.synthflow import AbsentApi
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.ringing import ringing
from tests.unit.scenario.synthflow_api import ASSISTANT, CALLER, OTHER, FakeApi, LateApi, Place, call, record


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
    return context, SynthflowEndpoint(context)


@pytest.mark.parametrize("status", ["in-progress", "completed"])
def test_a_second_assistant_that_took_the_call_as_well(make_context: MakeContext, status: str) -> None:
    context, _ = case(make_context)
    name, number = another(context)
    context, endpoint = case(make_context, record(), record(call_id="c2", phone_number_to=number, status=status))
    *_, found = answered_by(context, endpoint, call())
    assert found.verdict is Verdict.FAILED
    assert found.actual == f"main answered, and the call went to {name} as well"


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


# -- Whose call the AI has answered: one caller's is no sign that another's has come to it


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


@pytest.mark.parametrize("shown", [CALLER, None, "+1415555****"])
def test_a_record_is_of_one_caller_whatever_number_it_shows(make_context: MakeContext, shown: str | None) -> None:
    api: Any = FakeApi([record(phone_number_from=shown)])
    context = make_context("CONCURRENT", api=api, synthflow=Synthflow(poll_s=0.001, lag_s=0.0))
    assert expect_both(context, SynthflowEndpoint(context)) == [Verdict.PASSED, Verdict.FAILED]


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
    ai._endpoint = SynthflowEndpoint(context)
    of = call(answered=False)
    talk = AssistantOf(context, ai, Cast(context).line(str(context.case.line))).expect_call(of, within=0.0)
    assert talk.record is not None
    assert talk.record.id == "c1"


# -- The id that the AI's interface gives for a coming call goes into a header: no other text than an id does


def prepared(make_context: MakeContext, answer: str | FarEndError) -> tuple[str | None, list[str]]:
    def prepare_inbound(caller: str, number: str, model: str | None) -> str:
        if isinstance(answer, FarEndError):
            raise answer
        return answer

    api = SimpleNamespace(prepare_inbound=prepare_inbound)
    context = make_context(api=api, synthflow=Synthflow(prepare=True))
    found = context.far_end.prepared("+14155550101", context.deployment.assistants["main"])
    return found, [note.text for note in CaseEvidence.read(context.evidence.directory).notes]


@pytest.mark.parametrize("answer", ["abc123", "1c9f0e6e-7f0d-4a55-9d3b-0a2f3c9d8e11", "S.1_2"])
def test_an_id_is_taken(make_context: MakeContext, answer: str) -> None:
    assert prepared(make_context, answer) == (answer, [])


@pytest.mark.parametrize(
    "answer",
    [
        "abc\r\nRoute: <sip:evil.example;lr>",
        "abc\nX-Injected: 1",
        "abc;O.+19005550100",
        "911;",
        "abc\0",
        "",
        " ",
        "a" * 81,
        "<sip:911@evil.example>",
        "١٢٣",
        FarEndError("Synthflow API: POST /prepare_inbound: 500"),
    ],
)
def test_anything_else_is_trouble_of_the_interface(make_context: MakeContext, answer: str | FarEndError) -> None:
    found, troubles = prepared(make_context, answer)
    assert found is None
    assert len(troubles) == 1


# -- A deployment without an API: the AI's side is not seen, and nobody waits for it


def test_an_answered_call_is_one_of_which_nothing_is_known(make_context: MakeContext) -> None:
    place = Place(make_context, AbsentApi())
    began = time.monotonic()
    talk = place.endpoint.expect_call(call(), "main", within=120.0)
    assert time.monotonic() - began < 60.0
    assert talk is not None
    assert talk.is_unknown
    assert talk.is_blind
    assert place.troubles == ["no API is declared (synthflow.api_base), so nothing is known from the AI's side"]


def test_nobody_waits_to_see_that_the_ai_was_tried(make_context: MakeContext) -> None:
    """Meanwhile a platform's ring timeout runs out, and what the caller does then comes too late."""
    context = make_context(api=None, synthflow=None)
    paused: list[float] = []
    context.pause = paused.append  # type: ignore[method-assign,assignment]
    ai = Ai(context)
    ai.take_place()
    ai.was_tried(call(answered=False), line_of(context.deployment, context.trunk, "inbound"))
    assert context.evidence.findings[-1].verdict is Verdict.NOT_OBSERVABLE
    assert paused == []
