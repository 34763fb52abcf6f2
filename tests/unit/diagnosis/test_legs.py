"""Facts that any leg can show: what harness phones refused, who hung up, how many calls got
through.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.case.events import SipMessage
from tests.unit.diagnosis.case import Example, description, facts_of, talk, value
from tests.unit.diagnosis.leg_examples import capacity

OFFER = description("192.0.2.2", "9")


@pytest.mark.parametrize(
    ("code", "about"),
    [
        (488, "its media"),
        (486, "another call"),
        (480, None),
        (200, None),
    ],
)
@pytest.mark.parametrize(("phone", "role"), [("reception", "agent"), ("customer", "caller")])
def test_what_a_stack_refuses_by_itself(
    phone: str, role: str, code: int, about: str | None
) -> None:
    facts = facts_of(
        Example().at_phone(phone, "INVITE", OFFER).at_phone(phone, "INVITE", code=code)
    )
    assert facts.value(f"refusal.{role}") == about
    assert facts.value("offer.agent") == ("no G.711" if about and role == "agent" else None)


def _bye(*codes: int) -> Example:
    """An agent's BYE, each with that answer, the next one after a challenge."""
    example = Example(now=0.0)
    for number, code in enumerate(codes, start=1):
        began = len(example.events)
        example.at_phone("reception", "BYE", sent=True, within=True)
        if code:
            example.at_phone("reception", "BYE", code=code, sent=False)
        for index, event in enumerate(example.events[began:], start=began):
            assert isinstance(event, SipMessage)
            example.events[index] = replace(
                event, text=event.text.replace("CSeq: 1", f"CSeq: {number}")
            )
    return example


@pytest.mark.parametrize(
    ("codes", "outcome"),
    [
        ((0,), "none"),
        ((199,), "none"),
        ((200,), "accepted"),
        ((299,), "accepted"),
        ((300,), "refused"),
        ((401, 200), "accepted"),
        ((407, 481), "refused"),
        ((407,), "refused"),
    ],
)
def test_what_became_of_an_agent_s_bye(codes: tuple[int, ...], outcome: str) -> None:
    facts = facts_of(_bye(*codes).after(2).finding("released", "reception", seconds=None))
    assert (facts.value("hangup.agent"), facts.value("hangup.ai")) == (outcome, None)


@pytest.mark.parametrize(("waited", "outcome"), [(0.9, None), (0.91, "none")])
def test_a_bye_just_before_the_end_may_still_be_answered(
    waited: float, outcome: str | None
) -> None:
    example = _bye(0).after(waited).finding("released", "reception", seconds=None)
    assert value(example, "hangup.agent") == outcome


@pytest.mark.parametrize(("code", "outcome"), [(481, None), (200, "accepted"), (500, "refused")])
def test_a_bye_that_another_crosses_finds_no_call(code: int, outcome: str | None) -> None:
    """RFC 3261 section 15.1.2; the call is over then, as it should be."""
    for phone, fact in (("reception", "hangup.agent"), ("caller", "hangup.answer")):
        crossing = (
            Example()
            .at_phone(phone, "BYE", sent=True, within=True)
            .at_phone(phone, "BYE", within=True)
        )
        crossing.at_phone(phone, "BYE", code=code, sent=False).finding("released", "caller.1")
        assert value(crossing, fact) == outcome
    byes = (
        Example()
        ._sip("sent", "BYE sip:x SIP/2.0", number="3")
        ._sip("received", "BYE sip:y SIP/2.0")
    )
    assert (
        value(byes._sip("received", f"SIP/2.0 {code} x", "BYE", number="3"), "hangup.ai") == outcome
    )


@pytest.mark.parametrize(
    ("number", "form"), [("+13125550100", "E.164"), ("3125550100", "another form"), ("sales", None)]
)
def test_how_the_number_was_written(number: str, form: str | None) -> None:
    assert value(Example().dials(number=number), "dialled.form") == form


def test_a_transfer_that_rang_no_phone_may_have_been_answered() -> None:
    example = talk(row="TD-TRANSFER-BLIND")
    lost = example.copy().landed("billing")
    assert value(lost, "answered.elsewhere") is False, "the AI never asked for a transfer"
    assert value(lost, "answered.elsewhere", "caller+agents") is None
    placed = lost.copy().replaces()
    assert value(placed, "answered.elsewhere") is True
    placed.events = placed.events[:-1]  # it only rings
    assert value(placed, "answered.elsewhere") is False
    assert value(example.replaces().landed("billing", "billing"), "answered.elsewhere") is None


@pytest.mark.parametrize(
    ("made", "reached", "limit"),
    [
        (4, 4, "more than agreed"),
        (4, 3, "as agreed"),
        (4, 2, "fewer than agreed"),
        (4, 0, "none at all"),
        (2, 2, "as agreed"),
        (2, 1, "fewer than agreed"),
    ],
)
def test_three_calls_at_once_are_agreed(made: int, reached: int, limit: str) -> None:
    assert value(capacity(reached, made), "limit") == limit
    assert value(capacity(reached, made), "limit", "caller") is None


@pytest.mark.parametrize(("ended", "code"), [("", 500), ("CANCEL", 487), ("BYE", 200)])
@pytest.mark.parametrize(("others", "limit"), [(2, "as agreed"), (3, "more than agreed")])
def test_a_call_that_is_tried_again_was_not_there_twice(
    ended: str, code: int, others: int, limit: str
) -> None:
    """A platform that fails over, or dials again, begins another call with another Call-ID."""
    example = capacity(others).ai_gets(call_id="first")
    if ended != "BYE":
        example.ai_answers(code, "x", call_id="first")
    if ended:
        example._sip("received", f"{ended} sip:ai SIP/2.0", ended, call_id="first")
    again = example.ai_gets(call_id="again").ai_answers(call_id="again").landed("reception")
    assert value(again, "limit") == limit


def test_a_campaign_that_calls_its_customer() -> None:
    campaign = Example(row="TD-OUTBOUND-CAMPAIGN", line="campaign")
    assert value(campaign.copy().dials(), "customer.rang") is False
    assert value(campaign.copy().rings("billing"), "customer.rang") is False
    assert value(campaign.rings("customer"), "customer.rang") is True
    assert value(Example().rings("customer"), "customer.rang") is None
