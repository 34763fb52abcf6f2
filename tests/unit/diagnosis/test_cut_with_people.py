"""A call with an agent that the platform ends: what its BYE gives as Reason (RFC 3326) is why, and the end follows from it."""

from __future__ import annotations

import pytest

from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.known import facts_of
from tests.unit.diagnosis.leg_examples import capacity
from tests.unit.diagnosis.stories import GROUP, warm
from tests.unit.diagnosis.transfer_examples import cut_with_the_agent


def named(example: Example) -> list[tuple[str, str]]:
    return [(cause.id, cause.confidence) for cause in example.diagnose().causes]


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("", ("agent-call-dropped", "certain")),
        ('Q.850;cause=16;text="Normal call clearing"', ("agent-call-dropped", "certain")),
        ('SIP;cause=200;text="Call completed elsewhere"', ("agent-call-dropped", "certain")),
        ('Q.850;cause=88;text="Incompatible destination"', ("g711-one-side", "likely")),
        ('SIP;cause=488;text="Not Acceptable Here"', ("g711-one-side", "likely")),
        ('SIP;cause=488;text="SRTP required"', ("agent-call-dropped", "likely")),
        ('FreeSWITCH;cause=604;text="MEDIA_TIMEOUT"', ("transfer-no-audio", "likely")),
        ('Q.850;cause=34;text="No circuit/channel available"', ("platform-refuses-caller", "likely")),
    ],
)
def test_what_the_bye_says_comes_before_that_the_call_was_ended(reason: str, told: tuple[str, str]) -> None:
    assert named(cut_with_the_agent(reason)) == [told]


def test_either_end_s_bye_may_say_it() -> None:
    example = cut_with_the_agent()
    example.caller_gets('BYE sip:caller SIP/2.0\r\nReason: Q.850;cause=31;text="RTP Timeout"').with_agent(
        "billing", "no-rtp"
    )
    assert facts_of(example).value("agent.reason") == "that no RTP came"


def warmly(ai: str = "stand-in") -> Example:
    """The AI has called the agent itself, and stays between the two."""
    return warm(Example(ai=ai)).ai_invites(GROUP).platform_says(200, "OK", "INVITE")


def bye(example: Example, by: str, call_id: str = "at-the-ai") -> Example:
    """A BYE that the AI's side sent or received in one of its calls."""
    return example._sip(by, "BYE sip:x SIP/2.0", "BYE", to="<sip:x@y.example>;tag=p", call_id=call_id, number="8")


def silent(example: Example) -> Example:
    """The agent got a BYE, and hears nothing any more."""
    example.rings("billing").landed("billing", "billing").at_phone("billing", "BYE", within=True, leg="billing.1")
    return example.after(0.1).with_agent("billing", "no-rtp", "no-rtp")


@pytest.mark.parametrize("call", ["onward", "at-the-ai"])
def test_an_ai_that_stays_between_caller_and_agent_may_be_who_hangs_up(call: str) -> None:
    assert named(silent(bye(warmly(), "sent", call))) == [("ai-hangs-up", "likely")]


def test_what_the_ai_passes_on_it_has_not_ended() -> None:
    assert named(silent(bye(bye(warmly(), "received", "onward"), "sent"))) == [("agent-call-dropped", "certain")]


def test_where_nobody_saw_the_ai_s_own_call_it_may_have_ended_it() -> None:
    action = {"name": "transfer_call", "type": "warm", "to": GROUP}
    unseen = Example(row="TD-TRANSFER-WARM", line="inbound-warm").dials().answered().taken().to_ai().to_caller()
    assert named(silent(unseen.record(executed_actions={"a": action}))) == [("agent-call-dropped", "likely")]


def test_an_ai_that_gave_its_own_call_up_has_not_ended_the_caller_s() -> None:
    """It calls the group, gives up, and goes on with the caller, whom the platform hangs up on."""
    example = bye(warmly(), "sent", "onward").after(1).caller_gets("BYE sip:caller SIP/2.0")
    example = bye(example, "received").after(0.1)
    assert named(example.to_caller("no-rtp").to_ai("no-rtp")) == [("call-dropped", "certain")]


def test_of_several_callers_nobody_knows_whose_call_the_ai_ended() -> None:
    example = capacity(2, made=2, row="CONCURRENT").answered().to_ai().to_caller()
    example = bye(bye(example, "sent", "call-0"), "received", "call-1").caller_gets("BYE sip:caller SIP/2.0")
    assert facts_of(example.after(0.1).to_caller("no-rtp")).value("call.cut_by") is None
    alike = bye(bye(capacity(2, made=2, row="CONCURRENT").answered(), "sent", "call-0"), "sent", "call-1")
    alike = alike.caller_gets("BYE sip:caller SIP/2.0").after(0.1).to_caller("no-rtp")
    assert facts_of(alike).value("call.cut_by") == "the AI"


def test_in_a_call_that_fell_back_to_people_the_ai_has_no_part() -> None:
    example = (
        Example(row="TD-FALLBACK-REFUSED", line="fallback-refused").dials().after(0.1).rings("reception").answered()
    )
    example.landed("reception", "reception").at_phone("reception", "BYE", within=True, leg="reception.1")
    assert named(example.after(0.1).with_agent("reception", "no-rtp")) == [("agent-call-dropped", "certain")]
