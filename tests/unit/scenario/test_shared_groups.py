"""Groups that strangers call as well: theirs are no calls of a case, and whatever number a handover shows is ours."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from harness.calls.verdict import Verdict
from harness.deployment import Expectations
from harness.phone.leg import accept_every_leg
from harness.scenario.call import Call
from harness.scenario.cast import Cast
from tests.unit.scenario.conftest import MakeContext

FIXED, STRANGER = "+15035550144", "+13035550177"


def leg(name: str, state: str, shown: str = FIXED) -> Any:
    invite = SimpleNamespace(
        text=f"INVITE sip:ada@p SIP/2.0\r\nVia: SIP/2.0/UDP x;branch=z9hG4bK1\r\nFrom: <sip:{shown}@b.example>;tag=1\r\n"
        "To: <sip:ada@p>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
    )
    found = SimpleNamespace(id=name, state=state, direction="incoming", events=[], successor=None, messages=[invite])
    found.phone = SimpleNamespace(name="billing")
    return found


@pytest.mark.parametrize("is_stranger", [True, False])
def test_a_strangers_call_that_rings_on_is_no_second_call_of_the_agents(
    make_context: MakeContext, is_stranger: bool
) -> None:
    context = make_context(expect=Expectations(patience_s=0.01))
    landed, another = leg("agent.1", "confirmed"), leg("agent.2", "early")
    phone = SimpleNamespace(
        name="agent",
        legs=[landed, another],
        incoming=[landed] if is_stranger else [landed, another],
        is_ours=accept_every_leg,
    )
    landed.phone = another.phone = phone
    call = Call(context, landed, "agent")
    call.first_leg_released_at = lambda deadline: None  # type: ignore[method-assign]
    Cast(context).one_call_each(call)
    (found,) = context.evidence.findings
    assert found.verdict is (Verdict.PASSED if is_stranger else Verdict.FAILED)


def test_the_number_that_a_handover_with_a_name_shows_is_ours(make_context: MakeContext) -> None:
    context = make_context()
    name, assistant = next(iter(context.deployment.assistants.items()))
    group = next(iter(context.deployment.groups))
    fields = {
        "transfer": "warm",
        "transfer_to": group,
        "digit": "7",
        "transfer_caller_id": "fixed",
        "fixed_caller_id": FIXED,
    }
    named = type(assistant).model_validate({**assistant.model_dump(), "handovers": {"refunds": fields}})
    context.deployment = context.deployment.model_copy(update={"assistants": {name: named}})
    context.phones._deployment = context.deployment
    assert context.phones.may_be_ours(leg("agent.1", "early"))
    assert not context.phones.may_be_ours(leg("agent.1", "early", STRANGER))


@pytest.mark.parametrize(("shown", "is_ours"), [("02079460100", True), ("02079460177", False), (STRANGER, False)])
def test_a_telephone_abroad_shows_numbers_as_its_own_country_writes_them(
    make_context: MakeContext, shown: str, is_ours: bool
) -> None:
    context = make_context()
    assert context.deployment.region == "US"
    phones = context.deployment.phones
    caller = phones["caller"].model_copy(update={"number": "+442079460100"})
    agent = phones["billing"].model_copy(update={"number": "+442079460188"})
    phones = {**phones, "caller": caller, "billing": agent}
    context.phones._deployment = context.deployment.model_copy(update={"phones": phones})
    assert context.phones.may_be_ours(leg("billing.1", "early", shown)) is is_ours
