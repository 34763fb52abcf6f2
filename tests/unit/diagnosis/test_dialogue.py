"""What the caller's own messages show: its call's answer, and what became of what it asked for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.calls.events import SipMessage
from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.example_case import SDP
from tests.unit.diagnosis.known import facts_of
from tests.unit.diagnosis.own_examples import astray, unacknowledged


def sdp(formats: str = "0", lines: str = "", protocol: str = "RTP/AVP") -> str:
    return SDP.format(host="192.0.2.2", protocol=protocol, formats=formats, lines=lines)


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        (sdp(), "usable"),
        (sdp("8"), "usable"),
        (sdp("9"), "a codec that was not offered"),
        ("", "no SDP"),
        ("m=audio x", "an SDP that cannot be read"),
        (sdp().replace("m=audio 4000", "m=audio 0"), "no audio"),
        (sdp().replace("m=audio 4000", "m=audio 1"), "usable"),
        (sdp().replace("m=audio", "m=video"), "no audio"),
        (sdp() + "m=video 0 RTP/AVP 99\r\n", "another number of media lines"),
    ],
)
def test_what_an_answer_makes_of_the_offer(answer: str, value: str) -> None:
    facts = facts_of(Example().dials().asks("INVITE", 200, "OK", within=False, answer=answer))
    assert facts.value("caller.answer") == value


@pytest.mark.parametrize("offer", ["m=audio x", sdp().replace("m=audio", "m=video")])
def test_an_offer_without_audio_has_no_answer(offer: str) -> None:
    facts = facts_of(Example().asks("INVITE", 200, "OK", within=False, offer=offer, answer=sdp()))
    assert facts.value("caller.answer") is None


def test_another_request_is_no_change_and_no_hangup() -> None:
    facts = facts_of(Example().asks("INFO", 415, "x").asks("ACK").asks("PRACK", 481, "x").asks("CANCEL", 481, "x"))
    assert [facts.value(name) for name in ("change.answer", "hangup.answer", "cancel.answer")] == [None] * 3


def test_a_prack_that_is_answered_after_all_is_not_lost() -> None:
    """Its 18x was under way for the second time when it was sent."""
    lost = unacknowledged()
    assert facts_of(lost).value("prack.lost") is True
    answered = unacknowledged().caller_gets("SIP/2.0 200 OK\r\nCSeq: 11 PRACK")
    assert facts_of(answered).value("prack.lost") is None


def _of_another_call(example: Example, phone: str, answer: str) -> Example:
    """That phone's INVITE of another call, and its 200."""
    began = len(example.events)
    example.after(1).asks("INVITE", 200, "OK", within=False, answer=answer)
    for index, event in enumerate(example.events[began:], start=began):
        assert isinstance(event, SipMessage)
        text = event.text.replace("at-the-caller", "of-another-call")
        example.events[index] = replace(event, phone=phone, leg=f"{phone}.{2 if phone == 'caller' else 1}", text=text)
    return example


@pytest.mark.parametrize("phone", ["caller", "caller-2"])
def test_what_another_call_was_answered_is_not_what_this_one_was(phone: str) -> None:
    """Be it the one that the caller's phone places on a REFER that the platform passed on, or another caller's."""
    example = astray("192.168.7.7")
    before = example.diagnose()
    example = example.replaces() if phone == "caller" else example.dials_too(phone)
    _of_another_call(example, phone, sdp("9"))
    facts = facts_of(example)
    assert facts["sdp.to_caller"].value == "private"
    assert facts.value("caller.answer") == "usable"
    assert [cause.id for cause in example.diagnose().causes] == [cause.id for cause in before.causes]


PUBLIC, PRIVATE = "198.51.100.9", "192.168.7.7"


def _told(host: str) -> str:
    return SDP.format(host=host, protocol="RTP/AVP", formats="0 8", lines="")


def answered_with(host: str) -> Example:
    """The 200 to the caller has that address for audio."""
    example = Example(ai="stand-in", now=100.0)
    example.dials().asks("INVITE", 200, "OK", within=False, answer=_told(host)).ai_gets().ai_answers(200, "OK")
    return example.answered().taken().codec("caller.1", "PCMU").codec("stand-in.1", "PCMU")


def unheard(example: Example) -> Example:
    """The AI does not hear the caller, whose RTP came at first."""
    return example.after(4).counted("stand-in.1", received=3).to_ai("no-rtp").to_caller()


def test_the_answer_to_a_change_of_the_caller_s_own_counts_and_what_a_refusal_says_does_not() -> None:
    changed = answered_with(PUBLIC).after(0.1).asks("INVITE", 200, "OK", answer=_told(PRIVATE))
    assert facts_of(unheard(changed))["sdp.to_caller"].value == "private"
    for code in (183, 488):
        refused = answered_with(PUBLIC).after(0.1).asks("INVITE", code, "x", answer=_told(PRIVATE))
        assert facts_of(unheard(refused))["sdp.to_caller"].value == "reachable"
