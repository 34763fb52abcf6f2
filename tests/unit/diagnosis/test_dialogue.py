"""What the caller's own messages show: its call's answer, and what became of what it asked for."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from harness.calls.events import SipMessage
from harness.diagnosis.facts import Facts
from harness.diagnosis.sdp import holds
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


def rings(example: Example, body: str, *, tag: str = "p", number: int = 0) -> Example:
    """A 18x to the INVITE that was answered last, with that SDP, came before its answer."""
    answer = example.events.pop()
    assert isinstance(answer, SipMessage)
    head = answer.text.partition("\r\n\r\n")[0].replace("SIP/2.0 200 OK", "SIP/2.0 183 Session Progress")
    head = re.sub(r"(?m)^Content-Length.*", f"Content-Length: {len(body)}", head).replace(";tag=p", f";tag={tag}")
    if number:
        head = re.sub(r"(?m)^CSeq: \d+", f"CSeq: {number}", head)
    example.events += [replace(answer, text=f"{head}\r\n\r\n{body}"), answer]
    return example


def bare_answer() -> Example:
    """The call, answered by a 200 without SDP."""
    example = Example().dials().asks("INVITE", 200, "OK", within=False)
    answer = example.events[-1]
    assert isinstance(answer, SipMessage)
    text = answer.text.replace("@carrier.example>\r\nCall-ID", "@carrier.example>;tag=p\r\nCall-ID")
    example.events[-1] = replace(answer, text=text)
    return example


def taken_early(body: str, **others: Any) -> Facts:
    """What is known where such a 18x came, and a 200 without SDP."""
    return facts_of(rings(bare_answer(), body, **others))


@pytest.mark.parametrize("other", [{"tag": "q"}, {"number": 1}, {"body": ""}], ids=["fork", "attempt", "no SDP"])
def test_the_183_of_another_answers_nothing(other: dict[str, Any]) -> None:
    assert taken_early(**({"body": sdp()} | other)).value("caller.answer") == "no SDP"


@pytest.mark.parametrize("offer", ["m=audio x", sdp().replace("m=audio", "m=video")])
def test_an_offer_without_audio_has_no_answer(offer: str) -> None:
    facts = facts_of(Example().asks("INVITE", 200, "OK", within=False, offer=offer, answer=sdp()))
    assert facts.value("caller.answer") is None


@pytest.mark.parametrize(
    ("line", "is_held"),
    [
        ("a=sendonly", True),
        ("a=recvonly", True),
        ("a=inactive", True),
        ("c=IN IP4 0.0.0.0", True),
        ("a=sendrecv", False),
        ("c=IN IP4 0.0.0.01", False),
        ("s=a=inactive", False),
    ],
)
def test_hold_is_a_direction_or_no_address(line: str, is_held: bool) -> None:
    assert holds(f"v=0\r\n{line}\r\nt=0 0\r\n") is is_held
    facts = facts_of(Example().asks("INVITE", 200, "OK", within=False, answer=sdp(lines=f"{line}\r\n")))
    assert facts.value("caller.held") is (True if is_held else None)


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
@pytest.mark.parametrize(
    ("code", "outcome"), [(200, "accepted"), (299, "accepted"), (300, "refused"), (488, "refused")]
)
def test_what_became_of_a_change(method: str, code: int, outcome: str) -> None:
    facts = facts_of(Example().asks(method, code, "x"))
    assert facts.value("change.answer") == outcome
    assert facts.value("hangup.answer") is None
    assert facts.value("caller.offer") is None


def test_another_request_is_no_change_and_no_hangup() -> None:
    facts = facts_of(Example().asks("INFO", 415, "x").asks("ACK").asks("PRACK", 481, "x").asks("CANCEL", 481, "x"))
    assert [facts.value(name) for name in ("change.answer", "hangup.answer", "cancel.answer")] == [None] * 3


def test_the_last_of_a_kind_counts() -> None:
    facts = facts_of(Example().asks("INVITE", 491, "Request Pending").asks("INVITE", 200, "OK"))
    assert facts.value("change.answer") == "accepted"


@pytest.mark.parametrize("method", ["BYE", "INVITE"])
@pytest.mark.parametrize(("waited", "outcome"), [(0.0, None), (0.9, None), (0.91, "none")])
def test_what_was_asked_just_before_the_end_may_be_under_way(method: str, waited: float, outcome: str | None) -> None:
    example = Example(now=0.0).asks(method).after(waited).finding("prack", "caller.1")
    fact = "hangup.answer" if method == "BYE" else "change.answer"
    assert facts_of(example).value(fact) == outcome
    later = Example(now=1000.0).asks(method).after(waited / 2).finding("prack", "caller.1")
    assert facts_of(later).value(fact) is None


def test_a_cancel_counts_until_the_case_is_over() -> None:
    example = Example(now=0.0).finding("prack", "caller.1")
    assert facts_of(example.copy().asks("CANCEL", 200, "OK")).value("cancel.answer") == "accepted"
    assert facts_of(example.copy().after(0.1).asks("CANCEL", 200, "OK")).value("cancel.answer") is None


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


def _to_caller(example: Example, start: str, host: str = "", number: int = 1, *, sent: bool = False) -> Example:
    """A message of the platform's within the caller's call, or one that the caller answers it with."""
    body = _told(host) if host else ""
    method = "INVITE" if start.startswith("SIP") else start.partition(" ")[0]
    head = [start, "From: <sip:x@y>;tag=p", "To: <sip:caller@y>;tag=c", "Call-ID: at-the-caller"]
    head += [f"CSeq: {number} {method}", f"Content-Length: {len(body)}", "", body]
    example.after(0.05)._at_caller("sent" if sent else "received", "\r\n".join(head), whole=True)
    return example


def answered_with(host: str) -> Example:
    """The 200 to the caller has that address for audio."""
    example = Example(ai="stand-in", now=100.0)
    example.dials().asks("INVITE", 200, "OK", within=False, answer=_told(host)).ai_gets().ai_answers(200, "OK")
    return example.answered().taken().codec("caller.1", "PCMU").codec("stand-in.1", "PCMU")


def unheard(example: Example) -> Example:
    """The AI does not hear the caller, whose RTP came at first."""
    return example.after(4).counted("stand-in.1", received=3).to_ai("no-rtp").to_caller()


def blamed(example: Example) -> list[str]:
    return [cause.id for cause in unheard(example).diagnose().causes]


@pytest.mark.parametrize("start", ["INVITE sip:caller SIP/2.0", "UPDATE sip:caller SIP/2.0", "ACK sip:caller SIP/2.0"])
@pytest.mark.parametrize(("first", "then", "told"), [(PUBLIC, PRIVATE, "private"), (PRIVATE, PUBLIC, "reachable")])
def test_the_newest_sdp_says_where_the_caller_sends(start: str, first: str, then: str, told: str) -> None:
    """RFC 3264 section 8: after direct media the answer's is of no account; an ACK has the answer to an offer in our 200."""
    example = _to_caller(answered_with(first), start, then)
    assert ("sdp-private-address" in blamed(example.copy())) is (told == "private")
    facts = facts_of(unheard(example))
    assert facts["sdp.to_caller"].value == told
    assert f"c={then}, from 192.0.2.2:5060" in facts["sdp.to_caller"].evidence


@pytest.mark.parametrize("code", [300, 488])
def test_an_offer_that_was_refused_leaves_the_one_before_it(code: int) -> None:
    """RFC 3261 section 14.1."""
    example = _to_caller(answered_with(PUBLIC), "INVITE sip:caller SIP/2.0", PRIVATE)
    refused = _to_caller(example.copy(), f"SIP/2.0 {code} x", sent=True)
    assert facts_of(unheard(refused))["sdp.to_caller"].value == "reachable"
    for other in ((488, 2), (200, 1)):
        another = _to_caller(example.copy(), f"SIP/2.0 {other[0]} x", number=other[1], sent=True)
        assert facts_of(unheard(another))["sdp.to_caller"].value == "private"


def test_the_answer_to_a_change_of_the_caller_s_own_counts_and_what_a_refusal_says_does_not() -> None:
    changed = answered_with(PUBLIC).after(0.1).asks("INVITE", 200, "OK", answer=_told(PRIVATE))
    assert facts_of(unheard(changed))["sdp.to_caller"].value == "private"
    for code in (183, 488):
        refused = answered_with(PUBLIC).after(0.1).asks("INVITE", code, "x", answer=_told(PRIVATE))
        assert facts_of(unheard(refused))["sdp.to_caller"].value == "reachable"
