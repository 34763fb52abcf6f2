"""Facts that the caller's own messages show: how its call was answered, and what became of its
requests.
"""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from harness.case.events import SipMessage
from tests.unit.diagnosis.case import Example, description, dialled, facts_of, value
from tests.unit.diagnosis.own_examples import astray, unacknowledged


def sdp(formats: str = "0") -> str:
    return description("192.0.2.2", formats)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (sdp(), "usable"),
        (sdp("9"), "a codec that was not offered"),
        ("", "no SDP"),
        ("m=audio x", "no audio"),
        (sdp().replace("m=audio 4000", "m=audio 0"), "no audio"),
        (sdp().replace("m=audio", "m=video"), "no audio"),
        (sdp() + "m=video 0 RTP/AVP 99\r\n", "another number of media lines"),
        (sdp().replace("RTP/AVP", "RTP/AVPF"), "another profile"),
        (sdp().replace("IN IP4 192.0.2.2", "IN IP6 2001:db8::2"), "another address family"),
    ],
)
def test_what_an_answer_makes_of_the_offer(answer: str, told: str) -> None:
    assert (
        value(
            dialled().invited(answer=answer),
            "caller.answer",
        )
        == told
    )
    no_audio = Example().invited(offer=sdp().replace("audio", "video"), answer=answer)
    assert value(no_audio, "caller.answer") is None


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        (["1 AES_CM_128_HMAC_SHA1_80"], "usable"),
        (["7 AES_CM_128_HMAC_SHA1_80"], "a key that was not offered"),
        (["1 AES_CM_128_HMAC_SHA1_32"], "a key that was not offered"),
        ([], "a key that was not offered"),
        (["1 AES_CM_128_HMAC_SHA1_80", "2 AES_CM_128_HMAC_SHA1_32"], "a key that was not offered"),
    ],
)
def test_the_key_of_an_answer_was_offered(keys: list[str], told: str) -> None:
    offer = secured("1 AES_CM_128_HMAC_SHA1_80", "2 AES_CM_128_HMAC_SHA1_32")
    example = dialled().invited(offer=offer, answer=secured(*keys))
    assert value(example, "caller.answer") == told


def secured(*keys: str) -> str:
    lines = "".join(
        f"a=crypto:{key} inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\n" for key in keys
    )
    return description("192.0.2.2", "0", protocol="RTP/SAVP", lines=lines)


def taken_early(body: str, *, tag: str = "p", number: int = 0) -> object:
    """What the answer is, if a 183 with that SDP comes before a 200 without SDP."""
    example = dialled().invited()
    answer = example.events.pop()
    assert isinstance(answer, SipMessage)
    text = answer.text.replace("@carrier.example>\r\nCall-ID", "@carrier.example>;tag=p\r\nCall-ID")
    head = text.partition("\r\n\r\n")[0].replace("SIP/2.0 200 OK", "SIP/2.0 183 Session Progress")
    head = re.sub(r"(?m)^Content-Length.*", f"Content-Length: {len(body)}", head).replace(
        ";tag=p", f";tag={tag}"
    )
    if number:
        head = re.sub(r"(?m)^CSeq: \d+", f"CSeq: {number}", head)
    example.events += [replace(answer, text=f"{head}\r\n\r\n{body}"), replace(answer, text=text)]
    return value(example, "caller.answer")


def test_a_183_of_the_same_dialog_and_attempt_answers_the_offer() -> None:
    assert taken_early(sdp()) == "usable"
    assert (
        taken_early(sdp(), tag="q") == taken_early(sdp(), number=1) == taken_early("") == "no SDP"
    )


def test_the_last_change_counts_and_other_requests_do_not() -> None:
    example = Example().asks("INVITE", 491, "Request Pending").asks("INVITE", 200, "OK")
    example.asks("INFO", 415, "x").asks("ACK").asks("PRACK", 481, "x").asks("CANCEL", 481, "x")
    facts = facts_of(example)
    told = [facts.value(name) for name in ("change.answer", "hangup.answer", "cancel.answer")]
    assert told == ["accepted", None, None]


@pytest.mark.parametrize(("waited_s", "outcome"), [(7.0, "accepted"), (4.0, "late")])
def test_a_change_that_is_answered_once_nobody_waits_is_late(waited_s: float, outcome: str) -> None:
    example = Example(now=0.0).asks("INVITE", 200, "OK", takes_s=6.0)
    example.after(waited_s - 6.0).finding("phone.wait", "caller.1").after(3.0)
    assert value(example.finding("audio.loss", "caller.1"), "change.answer") == outcome


@pytest.mark.parametrize(
    ("method", "fact"), [("BYE", "hangup.answer"), ("INVITE", "change.answer")]
)
@pytest.mark.parametrize(("waited", "outcome"), [(0.9, None), (0.91, "none")])
def test_a_request_just_before_the_end_may_still_be_answered(
    method: str, fact: str, waited: float, outcome: str | None
) -> None:
    assert (
        value(Example(now=0.0).asks(method).after(waited).finding("prack", "caller.1"), fact)
        == outcome
    )


def test_a_cancel_counts_until_the_case_is_over() -> None:
    example = Example(now=0.0).finding("prack", "caller.1")
    assert value(example.copy().asks("CANCEL", 200, "OK"), "cancel.answer") == "accepted"
    assert value(example.after(0.1).asks("CANCEL", 200, "OK"), "cancel.answer") is None


def test_a_prack_that_is_answered_after_all_is_not_lost() -> None:
    assert value(unacknowledged(), "prack.lost") is True
    assert (
        value(unacknowledged().caller_gets("SIP/2.0 200 OK\r\nCSeq: 11 PRACK"), "prack.lost")
        is None
    )


@pytest.mark.parametrize("phone", ["caller", "caller-2"])
def test_the_answer_to_another_call_does_not_count(phone: str) -> None:
    """It may be placed on a REFER that the platform passed on, or be another caller's."""
    example = astray("192.168.7.7")
    example = example.replaces() if phone == "caller" else example.dials_too(phone)
    began = len(example.events)
    example.after(1).invited(answer=sdp("9"))
    for index, event in enumerate(example.events[began:], start=began):
        assert isinstance(event, SipMessage)
        text = event.text.replace("at-the-caller", "of-another-call")
        leg = f"{phone}.{2 if phone == 'caller' else 1}"
        example.events[index] = replace(event, phone=phone, leg=leg, text=text)
    facts = facts_of(example)
    assert (facts.value("sdp.to_caller"), facts.value("caller.answer")) == ("private", "usable")


PUBLIC, PRIVATE = "198.51.100.9", "192.168.7.7"


def _told(host: str) -> str:
    return description(host)


def _within(
    example: Example, start: str, host: str = "", number: int = 1, *, sent: bool = False
) -> Example:
    """A message of the platform's within the caller's call, or one that the caller answers it with."""
    body = _told(host) if host else ""
    method = "INVITE" if start.startswith("SIP") else start.partition(" ")[0]
    head = [start, "From: <sip:x@y>;tag=p", "To: <sip:caller@y>;tag=c", "Call-ID: at-the-caller"]
    head += [f"CSeq: {number} {method}", f"Content-Length: {len(body)}", "", body]
    example.after(0.05)._at_caller("sent" if sent else "received", "\r\n".join(head), whole=True)
    return example


def _answered_with(host: str) -> Example:
    """The 200 to the caller has that address for audio."""
    example = Example(ai="stand-in", now=100.0)
    example.dials().invited(answer=_told(host)).ai_gets().ai_answers()
    return example.answered().taken().codec("caller.1", "PCMU").codec("stand-in.1", "PCMU")


def _reach(example: Example) -> object:
    """Where the caller sends, when the AI does not hear it any more."""
    unheard = example.after(4).counted("stand-in.1", received=3).to_ai("no-rtp").to_caller()
    return value(unheard, "sdp.to_caller")


@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "ACK"])
@pytest.mark.parametrize(
    ("first", "then", "told"), [(PUBLIC, PRIVATE, "private"), (PRIVATE, PUBLIC, "reachable")]
)
def test_the_newest_sdp_says_where_the_caller_sends(
    method: str, first: str, then: str, told: str
) -> None:
    """RFC 3264 section 8; an ACK has the answer to an offer in a 200."""
    assert _reach(_within(_answered_with(first), f"{method} sip:caller SIP/2.0", then)) == told


@pytest.mark.parametrize(
    ("code", "number", "told"),
    [(300, 1, "reachable"), (488, 1, "reachable"), (488, 2, "private"), (200, 1, "private")],
)
def test_an_offer_that_was_refused_leaves_the_one_before_it(
    code: int, number: int, told: str
) -> None:
    """RFC 3261 section 14.1."""
    example = _within(_answered_with(PUBLIC), "INVITE sip:caller SIP/2.0", PRIVATE)
    assert _reach(_within(example, f"SIP/2.0 {code} x", number=number, sent=True)) == told


@pytest.mark.parametrize(
    ("code", "told"), [(200, "private"), (183, "reachable"), (488, "reachable")]
)
def test_the_final_answer_to_the_caller_s_own_change_counts(code: int, told: str) -> None:
    changed = _answered_with(PUBLIC).after(0.1).asks("INVITE", code, "x", answer=_told(PRIVATE))
    assert _reach(changed) == told
