"""What every leg shows: what our own phones refused, who hung up, how many calls got through."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.calls.events import SipMessage
from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.example_case import SDP
from tests.unit.diagnosis.known import facts_of
from tests.unit.diagnosis.leg_examples import capacity

OFFER = SDP.format(host="192.0.2.2", protocol="RTP/AVP", formats="9", lines="")


@pytest.mark.parametrize(
    ("code", "about"),
    [
        (406, "its media"),
        (415, "its media"),
        (488, "its media"),
        (606, "its media"),
        (420, "an extension"),
        (486, "another call"),
        (480, None),
        (180, None),
        (200, None),
    ],
)
@pytest.mark.parametrize("phone", ["reception", "customer"])
def test_what_a_stack_refuses_by_itself(phone: str, code: int, about: str | None) -> None:
    facts = facts_of(Example().at_phone(phone, "INVITE", OFFER).at_phone(phone, "INVITE", code=code))
    role = "agent" if phone == "reception" else "caller"
    assert facts.value(f"refusal.{role}") == about
    assert facts.value("offer.agent") == ("no G.711" if about and role == "agent" else None)


def test_a_request_of_a_call_that_our_phone_does_not_know() -> None:
    asked = Example().at_phone("caller", "INVITE", within=True)
    assert facts_of(asked.copy().at_phone("caller", "INVITE", code=481)).value("dialog.unknown") is True
    assert facts_of(asked.copy().at_phone("caller", "INVITE", code=200)).value("dialog.unknown") is None
    theirs = asked.copy().at_phone("caller", "INVITE", code=481, sent=False)
    assert facts_of(theirs).value("dialog.unknown") is None


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (0, "none"),
        (100, "none"),
        (199, "none"),
        (200, "accepted"),
        (299, "accepted"),
        (300, "refused"),
        (481, "refused"),
    ],
)
def test_what_became_of_an_agent_s_bye(code: int, outcome: str) -> None:
    example = Example().at_phone("reception", "BYE", sent=True, within=True)
    if code:
        example.at_phone("reception", "BYE", code=code, sent=False)
    example.after(2).finding("released", "reception", seconds=None)
    facts = facts_of(example)
    assert facts.value("hangup.agent") == outcome
    assert facts.value("hangup.ai") is None


@pytest.mark.parametrize(("code", "outcome"), [(481, None), (200, "accepted"), (500, "refused"), (403, "refused")])
def test_a_bye_that_another_crosses_finds_no_call(code: int, outcome: str | None) -> None:
    """RFC 3261 section 15.1.2; the call is over then, as it should be."""
    crossing = Example().at_phone("reception", "BYE", sent=True, within=True).at_phone("reception", "BYE", within=True)
    crossing.at_phone("reception", "BYE", code=code, sent=False)
    assert facts_of(crossing).value("hangup.agent") == outcome
    caller = Example().at_phone("caller", "BYE", sent=True, within=True).at_phone("caller", "BYE", within=True)
    caller.at_phone("caller", "BYE", code=code, sent=False).finding("released", "caller.1")
    assert facts_of(caller).value("hangup.answer") == outcome
    byes = Example()._sip("sent", "BYE sip:x SIP/2.0", "BYE", number="3")._sip("received", "BYE sip:y SIP/2.0", "BYE")
    assert facts_of(byes._sip("received", f"SIP/2.0 {code} x", "BYE", number="3")).value("hangup.ai") == outcome


@pytest.mark.parametrize(("challenge", "code"), [(401, 200), (407, 200), (407, 481), (401, 0)])
def test_a_bye_that_is_challenged_is_known_by_the_next(challenge: int, code: int) -> None:
    example = Example().at_phone("reception", "BYE", sent=True, within=True)
    example.at_phone("reception", "BYE", code=challenge, sent=False)
    if code:
        for message in (("sent", ""), ("received", str(code))):
            example.at_phone("reception", "BYE", sent=message[0] == "sent", within=True, code=int(message[1] or 0))
            event = example.events[-1]
            assert isinstance(event, SipMessage)
            example.events[-1] = replace(event, text=event.text.replace("CSeq: 1", "CSeq: 2"))
    facts = facts_of(example.after(2).finding("released", "reception", seconds=None))
    assert facts.value("hangup.agent") == ("accepted" if code == 200 else "refused")


@pytest.mark.parametrize(
    ("now", "waited", "outcome"), [(0.0, 0.9, None), (0.0, 0.91, "none"), (100.0, 0.5, None), (100.0, 1.0, "none")]
)
def test_a_bye_may_still_be_under_way_when_a_case_ends(now: float, waited: float, outcome: str | None) -> None:
    example = Example(now=now).at_phone("reception", "BYE", sent=True, within=True)
    facts = facts_of(example.after(waited).finding("released", "reception", seconds=None))
    assert facts.value("hangup.agent") == outcome


@pytest.mark.parametrize(
    ("code", "outcome"), [(100, None), (199, None), (200, "accepted"), (299, "accepted"), (300, "refused")]
)
def test_what_became_of_a_bye_in_synthflow_s_own_messages(code: int, outcome: str | None) -> None:
    example = Example()._sip("sent", "BYE sip:x SIP/2.0", "BYE", number="3")
    facts = facts_of(example.platform_says(code, method="BYE"))
    assert facts.value("hangup.ai") is None  # of another call
    facts = facts_of(example._sip("received", f"SIP/2.0 {code} x", "BYE", number="3"))
    assert facts.value("hangup.ai") == outcome


@pytest.mark.parametrize(
    ("number", "form"), [("+13125550100", "E.164"), ("3125550100", "another form"), ("sales", None)]
)
def test_how_the_number_was_written(number: str, form: str | None) -> None:
    assert facts_of(Example().dials(number=number)).value("dialled.form") == form


def test_a_transfer_that_rang_nobody_s_phone_and_was_answered() -> None:
    example = Example(row="TD-TRANSFER-BLIND").dials().ai_gets().answered().taken().landed("billing")
    assert facts_of(example).value("answered.elsewhere") is False  # the AI never asked for a transfer
    assert facts_of(example, "caller+agents").value("answered.elsewhere") is None
    assert facts_of(example.copy().replaces()).value("answered.elsewhere") is True
    found = example.copy().replaces().landed("billing", "billing")
    found.findings = found.findings[:1] + found.findings[2:]
    assert facts_of(found).value("answered.elsewhere") is None


def test_a_call_placed_on_a_refer_that_rings_was_not_answered() -> None:
    example = Example(row="TD-TRANSFER-BLIND").dials().ai_gets().answered().taken().replaces().landed("billing")
    example.events = example.events[:-1]
    assert facts_of(example).value("answered.elsewhere") is False


def _at_once(made: int, reached: int) -> Example:
    example = Example(row="TD-CAPACITY").dials()
    for index in range(2, made + 1):
        example.dials_too(f"caller-{index}")
    for index in range(reached):
        example.ai_gets(call_id=f"call-{index}")
    return example


@pytest.mark.parametrize(
    ("made", "reached", "limit"),
    [
        (4, 4, "more than agreed"),
        (4, 3, "as agreed"),
        (4, 2, "fewer than agreed"),
        (4, 1, "fewer than agreed"),
        (4, 0, "none at all"),
        (2, 2, "as agreed"),
        (2, 1, "fewer than agreed"),
        (1, 1, "as agreed"),
    ],
)
def test_three_calls_at_once_are_agreed(made: int, reached: int, limit: str | None) -> None:
    example = _at_once(made, reached)
    assert example.trunk.max_concurrent_calls == 3
    assert facts_of(example).value("limit") == limit
    assert facts_of(example, "caller").value("limit") is None


def test_a_campaign_that_calls_its_customer() -> None:
    campaign = Example(row="TD-OUTBOUND-CAMPAIGN", line="campaign")
    assert facts_of(campaign).value("customer.rang") is False
    assert facts_of(campaign.copy().rings("customer")).value("customer.rang") is True
    assert facts_of(campaign.copy().rings("billing")).value("customer.rang") is False
    assert facts_of(campaign.copy().dials()).value("customer.rang") is False
    assert facts_of(Example().rings("customer")).value("customer.rang") is None


@pytest.mark.parametrize(("ended", "code"), [("", 500), ("CANCEL", 487), ("BYE", 200)])
@pytest.mark.parametrize("late", [False, True])
def test_a_call_that_is_tried_again_was_not_there_twice(ended: str, code: int, late: bool) -> None:
    """A platform that fails over, or dials again, begins another call with another Call-ID."""
    example = capacity(2).ai_gets(call_id="first")
    if late:  # as many as agreed, and one more
        example.ai_gets(call_id="another")
    answers = example.copy().ai_answers(code, "x", call_id="first").events[-1:]
    ends = (
        example.copy()._sip("received", f"{ended} sip:ai SIP/2.0", ended, call_id="first").events[-1:] if ended else []
    )
    example.events += answers + ends if ended == "BYE" else ends + answers
    again = example.ai_gets(call_id="again").ai_answers(200, "OK", call_id="again").landed("reception")
    assert facts_of(again).value("limit") == ("more than agreed" if late else "as agreed")
