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


def test_an_offer_that_a_183_has_answered_needs_no_answer_in_the_200() -> None:
    """As of gateways that acknowledge it by PRACK (RFC 3262 section 5)."""
    assert taken_early(sdp()).value("caller.answer") == "usable"
    assert taken_early(sdp("9")).value("caller.answer") == "a codec that was not offered"
    assert taken_early(sdp(lines="a=inactive\r\n")).value("caller.held") is True


def test_a_18x_without_sdp_before_that_183_answers_nothing() -> None:
    example = rings(bare_answer(), "")
    assert facts_of(rings(example, sdp())).value("caller.answer") == "usable"


def test_an_answer_beside_isup_is_one() -> None:
    """Of gateways that carry it along (RFC 3204)."""
    isup = "--b\r\nContent-Type: application/isup\r\n\r\nm=\x01\r\n"
    parts = f"{isup}--b\r\nContent-Type: application/sdp\r\n\r\n{sdp()}\r\n--b--\r\n"
    example = Example().dials().asks("INVITE", 200, "OK", within=False, answer=parts)
    answer = example.events[-1]
    assert isinstance(answer, SipMessage)
    text = answer.text.replace("application/sdp", "multipart/mixed;boundary=b", 1)
    example.events[-1] = replace(answer, text=text)
    assert facts_of(example).value("caller.answer") == "usable"


@pytest.mark.parametrize("other", [{"tag": "q"}, {"number": 1}, {"body": ""}], ids=["fork", "attempt", "no SDP"])
def test_the_183_of_another_answers_nothing(other: dict[str, Any]) -> None:
    assert taken_early(**({"body": sdp()} | other)).value("caller.answer") == "no SDP"


@pytest.mark.parametrize("offer", ["m=audio x", sdp().replace("m=audio", "m=video")])
def test_an_offer_without_audio_has_no_answer(offer: str) -> None:
    facts = facts_of(Example().asks("INVITE", 200, "OK", within=False, offer=offer, answer=sdp()))
    assert facts.value("caller.answer") is None


@pytest.mark.parametrize("code", [180, 300, 486])
def test_only_a_2xx_answers_the_offer(code: int) -> None:
    held = sdp(lines="a=inactive\r\n")
    facts = facts_of(Example().asks("INVITE", code, "x", within=False, answer=held))
    assert facts.value("caller.answer") is None
    assert facts.value("caller.held") is None
    assert facts.value("caller.offer") == "G.711"


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


@pytest.mark.parametrize("code", [401, 407])
def test_a_challenge_is_no_outcome(code: int) -> None:
    """What is asked again with credentials is known by the answer to that (RFC 3261 section 22)."""
    earlier = Example().asks("UPDATE", 488, "x").asks("INVITE", code, "Unauthorized")
    assert facts_of(earlier).value("change.answer") == "refused"
    example = Example().asks("INVITE", code, "Unauthorized").after(2).finding("prack", "caller.1")
    assert facts_of(example).value("change.answer") is None


@pytest.mark.parametrize("code", [400, 402, 403, 406, 408])
def test_any_other_refusal_is_one(code: int) -> None:
    assert facts_of(Example().asks("INVITE", code, "x")).value("change.answer") == "refused"


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


def test_a_bye_after_the_case_is_the_harness_s_own() -> None:
    example = Example(now=0.0).dials().finding("prack", "caller.1")
    assert facts_of(example.copy().asks("BYE", 481, "x")).value("hangup.answer") == "refused"
    assert facts_of(example.copy().after(0.1).asks("BYE", 481, "x")).value("hangup.answer") is None


def test_a_provisional_response_ends_nothing() -> None:
    example = Example().asks("INVITE", 180, "Ringing").after(2).finding("prack", "caller.1")
    assert facts_of(example).value("change.answer") == "none"


def test_the_answer_to_another_request_ends_nothing() -> None:
    example = Example().asks("INVITE").asks("INFO", 200, "OK").after(2).finding("prack", "caller.1")
    assert facts_of(example).value("change.answer") == "none"


def test_what_the_caller_is_asked_is_not_its_own_request() -> None:
    example = Example().at_phone("caller", "INVITE", within=True).at_phone("caller", "INVITE", code=200)
    assert facts_of(example).value("change.answer") is None
    agent = Example().at_phone("reception", "INVITE", within=True, sent=True)
    assert facts_of(agent.at_phone("reception", "INVITE", code=488, sent=False)).value("change.answer") is None


def test_messages_that_cannot_be_read_are_passed_over() -> None:
    example = Example()
    for direction, start in (("sent", "INVITE sip:x SIP/2.0"), ("received", "SIP/2.0 200 OK")):
        head = "Call-ID: at-the-caller\r\nCSeq: nonsense\r\nTo: <<>\r\nFrom: <<>"
        example._at_caller(direction, f"{start}\r\n{head}")
        example._at_caller(direction, f"{start}\r\nCall-ID: at-the-caller\r\nCSeq: 1 INVITE\r\nTo: <<>")
    facts = facts_of(example.asks("INVITE", 488, "x"))
    assert facts.value("change.answer") == "refused"
    assert facts.value("cancel.answer") is None


@pytest.mark.parametrize(("code", "value"), [(200, "accepted"), (299, "accepted"), (481, None), (100, None)])
def test_a_cancel_that_is_accepted(code: int, value: str | None) -> None:
    assert facts_of(Example().asks("CANCEL", code, "x")).value("cancel.answer") == value


def test_a_cancel_counts_until_the_case_is_over() -> None:
    example = Example(now=0.0).finding("prack", "caller.1")
    assert facts_of(example.copy().asks("CANCEL", 200, "OK")).value("cancel.answer") == "accepted"
    assert facts_of(example.copy().after(0.1).asks("CANCEL", 200, "OK")).value("cancel.answer") is None


def test_what_others_cancel_is_not_the_caller_s() -> None:
    assert (
        facts_of(Example().at_phone("caller", "CANCEL").at_phone("caller", "CANCEL", code=200)).value("cancel.answer")
        is None
    )
    agent = Example().at_phone("reception", "CANCEL", sent=True).at_phone("reception", "CANCEL", code=200, sent=False)
    assert facts_of(agent).value("cancel.answer") is None


@pytest.mark.parametrize(("passed", "arrived"), [(True, None), (False, False)])
def test_an_ack_that_did_not_arrive(passed: bool, arrived: bool | None) -> None:
    facts = facts_of(Example().finding("answered.acknowledged", "caller.1", passed))
    assert facts.value("ack.arrived") is arrived
    assert facts_of(Example().finding("answered.acknowledged", "reception.1", passed)).value("ack.arrived") is None


def test_where_shows_both_messages_and_the_answer() -> None:
    facts = facts_of(Example().asks("INVITE", 488, "Not Acceptable"))
    assert facts["change.answer"].evidence == ("m1", "SIP/2.0 488 Not Acceptable")
    assert facts_of(Example().asks("BYE").after(2).finding("prack", "x"))["hangup.answer"].evidence == ("m1",)


def test_an_invite_whose_to_cannot_be_read_changes_no_call() -> None:
    example = Example()
    head = "\r\nCall-ID: at-the-caller\r\nCSeq: 1 INVITE\r\nTo: <<>"
    example._at_caller("sent", f"INVITE sip:x SIP/2.0{head}")
    example._at_caller("received", f"SIP/2.0 488 x{head}")
    assert facts_of(example).value("change.answer") is None


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


def test_what_comes_when_the_audio_has_failed_or_without_audio_or_in_another_call_changes_no_address() -> None:
    late = _to_caller(unheard(answered_with(PUBLIC)), "INVITE sip:caller SIP/2.0", PRIVATE)
    late.after(1).to_ai("no-rtp")  # the first that failed counts
    assert facts_of(late)["sdp.to_caller"].value == "reachable"
    other = answered_with(PUBLIC)
    _of_another_call(other, "caller", _told(PRIVATE))
    assert facts_of(unheard(other))["sdp.to_caller"].value == "reachable"
    image = _to_caller(answered_with(PUBLIC), "INVITE sip:caller SIP/2.0", PRIVATE)
    event = image.events[-1]
    assert isinstance(event, SipMessage)
    image.events[-1] = replace(event, text=event.text.replace("m=audio", "m=image"))
    assert facts_of(unheard(image))["sdp.to_caller"].value == "reachable"


def test_what_the_caller_did_not_hear_before_says_nothing_of_where_it_sends() -> None:
    example = answered_with(PUBLIC).after(2).to_caller("no-rtp")
    assert (
        facts_of(unheard(_to_caller(example, "INVITE sip:caller SIP/2.0", PRIVATE)))["sdp.to_caller"].value == "private"
    )


def test_an_address_that_came_when_the_audio_had_failed_is_not_where_it_was_sent() -> None:
    early = Example(ai="stand-in", now=100.0).dials().to_ai("no-rtp").after(1)
    early.asks("INVITE", 200, "OK", within=False, answer=_told(PRIVATE))
    assert facts_of(early).value("sdp.to_caller") is None


@pytest.mark.parametrize(("lines", "is_held"), [("a=inactive\r\n", True), ("", None)])
def test_a_message_without_sdp_lifts_no_hold(lines: str, is_held: bool | None) -> None:
    example = Example().dials().asks("INVITE", 200, "OK", within=False, answer=sdp(lines=lines))
    assert facts_of(_to_caller(example, "INFO sip:caller SIP/2.0")).value("caller.held") is is_held
    assert facts_of(_to_caller(example, "INVITE sip:caller SIP/2.0", PUBLIC)).value("caller.held") is None


def test_the_200_of_a_fork_changes_no_address() -> None:
    """RFC 3261 section 13.2.2.4: it is of a dialog of its own, which the phone ends."""
    example = answered_with(PUBLIC)
    answer = next(e for e in example.events if isinstance(e, SipMessage) and e.text.startswith("SIP/2.0 200"))
    example.events.append(replace(answer, text=answer.text.replace(PUBLIC, PRIVATE)))
    assert facts_of(unheard(example))["sdp.to_caller"].value == "reachable"


def test_an_update_behind_a_183_that_answered_the_offer_counts() -> None:
    """RFC 3311 section 5.1: in a dialog that is early, too; the 200 then has no SDP."""
    example = rings(bare_answer(), _told(PUBLIC))
    answer = example.events.pop()
    example = _to_caller(example, "UPDATE sip:caller SIP/2.0", PRIVATE)
    example.events.append(answer)
    assert facts_of(example)["sdp.to_caller"].value == "private"
