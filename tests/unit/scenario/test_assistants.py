"""Which assistant took a call, and what is known without an API."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from harness.case.events import CallState
from harness.case.verdict import ExpectationError, Verdict
from harness.deployment import Synthflow
from harness.errors import BrokenError, FarEndError
from harness.report.evidence import CaseEvidence
from harness.scenario.ai import Ai
from harness.scenario.cast import Cast
from harness.scenario.conclusion import conclude
from harness.scenario.context import CaseContext, line_of
from harness.scenario.endpoints import StandInEndpoint, SynthflowEndpoint
from harness.scenario.people import AssistantOf
from harness.witness.synthflow import AbsentApi
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.legs import ScriptedPhone, invite
from tests.unit.scenario.synthflow_api import (
    ASSISTANT,
    CALLER,
    OTHER,
    FakeApi,
    LateApi,
    Place,
    call,
    record,
)


def another(context: CaseContext) -> tuple[str, str]:
    """Name and number of an assistant that the call is not for."""
    return next(
        (name, one.address)
        for name, one in context.deployment.assistants.items()
        if one.address != ASSISTANT
    )


def answered_by(context: CaseContext, endpoint: Any, of: Any) -> list[Any]:
    """What is found of who answered, once the case is over."""
    ai = Ai(context)
    ai._endpoint = endpoint
    line = Cast(context).line(str(context.case.line))
    AssistantOf(context, ai, line).expect_call(of, within=0.0)
    conclude(context, probe=False)
    return [
        finding for finding in context.evidence.findings if finding.check == "landing.answered_by"
    ]


def case(
    make_context: MakeContext, *records: dict[str, Any], after_s: float = 0.0, **synthflow: Any
) -> Any:
    api: Any = LateApi(*records, after_s=after_s)
    context = make_context(api=api, synthflow=Synthflow(poll_s=0.001, **{"lag_s": 0.0} | synthflow))
    return context, SynthflowEndpoint(context)


@pytest.mark.parametrize("status", ["in-progress", "completed"])
def test_a_second_assistant_that_took_the_call_as_well(
    make_context: MakeContext, status: str
) -> None:
    context, _ = case(make_context)
    name, number = another(context)
    context, endpoint = case(
        make_context, record(), record(call_id="c2", phone_number_to=number, status=status)
    )
    *_, found = answered_by(context, endpoint, call())
    assert found.verdict is Verdict.FAILED
    assert found.actual == f"main answered, and the call went to {name} as well"


@pytest.mark.parametrize("at", ["the other", "the first", "nowhere"])
def test_an_assistant_that_a_call_is_handed_to(make_context: MakeContext, at: str) -> None:
    context, _ = case(make_context)
    name, number = another(context)
    second = {
        "the other": [record(call_id="c2", phone_number_to=number)],
        "the first": [record(call_id="c2")],
        "nowhere": [],
    }[at]
    context, endpoint = case(make_context, record(), *second)
    ai, of = Ai(context), call()
    ai._endpoint = endpoint
    cast = Cast(context)
    line = cast.line(str(context.case.line))
    first = AssistantOf(context, ai, line)
    first.expect_call(of, within=0.0)
    entry = line.entry.model_copy(update={"assistant": name})
    other = AssistantOf(context, ai, replace(line, entry=entry))
    group: Any = SimpleNamespace(name="at the other")
    context.patience = 0.0
    with nullcontext() if at == "the other" else pytest.raises(ExpectationError):
        other.takes_over(of, group)
    conclude(context, probe=False)
    found = {one.check: one.verdict for one in context.evidence.findings}
    assert found["landing.answered_by"] is Verdict.PASSED
    assert (found["landing"] is Verdict.PASSED) is (at == "the other")


@pytest.mark.parametrize(
    "more",
    [
        {"phone_number_from": OTHER},  # a stranger's
        {"status": "failed"},  # who refused it did not answer
        {"type_of_call": "outbound"},
        {"start_time": str(int((time.time() - 60) * 1000))},
        {"phone_number_to": ASSISTANT},
    ],
)
def test_what_is_no_second_assistants(make_context: MakeContext, more: dict[str, Any]) -> None:
    context, _ = case(make_context)
    _, number = another(context)
    context, endpoint = case(
        make_context, record(), record(call_id="c2", **{"phone_number_to": number} | more)
    )
    assert [found.verdict for found in answered_by(context, endpoint, call())] == [Verdict.PASSED]


def stand_in(make_context: MakeContext, *calls: tuple[str, str, str, float]) -> StandInEndpoint:
    """A stand-in to which these calls came: number, caller, state and moment of each."""
    context, phone = make_context(ai="stand-in"), ScriptedPhone("stand-in")
    for number, caller, state, at in calls:
        phone.rings(caller, state, at=at, number=number)
    taken: Any = phone
    return StandInEndpoint(context, taken, context.trunk)


def called(began: float = 10.0) -> Any:
    of = call()
    of.began = began
    return of


SALES = "+12065550101"


@pytest.mark.parametrize(
    ("second", "began", "others"),
    [
        ((SALES, CALLER, "early", 10.1), 10.0, ["sales"]),
        ((SALES, CALLER, "early", 10.1), 11.0, []),  # of a call before
        ((SALES, OTHER, "early", 10.1), 10.0, []),
    ],
)
def test_a_second_call_at_the_stand_in(
    make_context: MakeContext, second: tuple[str, str, str, float], began: float, others: list[str]
) -> None:
    endpoint = stand_in(make_context, (ASSISTANT, CALLER, "early", 10.0), second)
    name, number = another(endpoint._context)
    if second[0] == SALES:
        endpoint.phone.incoming[1].told[0] = invite(second[1], number=number, at=10.1)  # type: ignore[attr-defined]
    assert endpoint.expect_call(called(), "main", 0.0) is not None
    of = called(began)
    assert endpoint.others(of, "main") == [name if other == "sales" else other for other in others]


def test_a_stand_in_knows_a_caller_by_every_number_that_a_call_shows(
    make_context: MakeContext,
) -> None:
    """A trunk may have its own number in From, and assert the caller's."""
    endpoint = stand_in(make_context, (ASSISTANT, OTHER, "early", 10.0))
    shows: Any = endpoint.phone.incoming[0]
    asserted = f"P-Asserted-Identity: <sip:{OTHER}@b.example>"
    shows.told[0] = invite("+13125550142", asserted, number=ASSISTANT, at=10.0)
    endpoint._context.calls.own += [call(number=CALLER), call(number=OTHER)]
    assert endpoint.expect_call(called(), "main", 0.0) is None, "another caller's"


@pytest.mark.parametrize("share", [1.0, 0.25])
def test_call_that_rang_out_unanswered_breaks_the_case(
    make_context: MakeContext, share: float
) -> None:
    endpoint = stand_in(make_context, (ASSISTANT, CALLER, "early", 10.0))
    leg: Any = endpoint.phone.incoming[0]
    ended = 10.0 + share * endpoint._context.timings.ring_timeout_s
    leg.told.append(
        CallState(at=ended, phone="stand-in", leg=leg.id, state="disconnected", code=487, reason="")
    )
    with pytest.raises(BrokenError, match="too busy to answer") if share == 1.0 else nullcontext():
        assert endpoint.expect_call(called(), "main", 0.0) is None


# -- Whose call the AI has answered: one caller's is no sign that another's has come to it


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
    return [
        found.verdict for found in context.evidence.findings if found.check == "landing.answered_by"
    ]


def test_a_stand_in_that_has_one_caller_has_not_answered_the_other(
    make_context: MakeContext,
) -> None:
    """A trunk that carries one call: the platform refuses the second caller."""
    endpoint = stand_in(make_context, (ASSISTANT, CALLER, "early", 10.0))
    assert expect_both(endpoint._context, endpoint) == [Verdict.PASSED, Verdict.FAILED]


@pytest.mark.parametrize("shown", [CALLER, None, "+1415555****"])
def test_a_record_is_of_one_caller_whatever_number_it_shows(
    make_context: MakeContext, shown: str | None
) -> None:
    api: Any = FakeApi([record(phone_number_from=shown)])
    context = make_context("CONCURRENT", api=api, synthflow=Synthflow(poll_s=0.001, lag_s=0.0))
    assert expect_both(context, SynthflowEndpoint(context)) == [Verdict.PASSED, Verdict.FAILED]


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


@pytest.mark.parametrize("answer", ["1c9f0e6e-7f0d-4a55-9d3b-0a2f3c9d8e11", "S.1_2"])
def test_an_id_is_taken(make_context: MakeContext, answer: str) -> None:
    assert prepared(make_context, answer) == (answer, [])


@pytest.mark.parametrize(
    "answer",
    [
        "abc\r\nRoute: <sip:evil.example;lr>",
        "abc;O.+19005550100",
        "",
        "١٢٣",
        FarEndError("Synthflow API: POST /prepare_inbound: 500"),
    ],
)
def test_anything_else_is_trouble_of_the_interface(
    make_context: MakeContext, answer: str | FarEndError
) -> None:
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
    assert place.troubles == [
        "no API is declared (synthflow.api_base), so nothing is known from the AI's side"
    ]


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


@pytest.mark.parametrize(("after_s", "verdict"), [(0.2, Verdict.FAILED), (2.0, Verdict.PASSED)])
def test_the_ai_is_called_behind_the_announcement(
    make_context: MakeContext, after_s: float, verdict: Verdict
) -> None:
    endpoint = stand_in(make_context, (ASSISTANT, CALLER, "confirmed", 10.0 + after_s))
    context, of = endpoint._context, called()
    of.announced = (10.0, 3.0)
    answered_by(context, endpoint, of)
    (found,) = [one for one in context.evidence.findings if one.check == "announcement"]
    assert found.verdict is verdict
