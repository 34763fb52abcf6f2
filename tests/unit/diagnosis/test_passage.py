"""What an INVITE or its answer lost between the caller and the AI."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.example_case import SDP
from tests.unit.diagnosis.known import facts_of

EVENTS = "a=rtpmap:101 telephone-event/8000\r\n"
CRYPTO = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\r\n"


def sdp(lines: str = "") -> str:
    return SDP.format(host="192.0.2.2", protocol="RTP/AVP", formats="0 101", lines=lines)


def at_ai(example: Example, body: str, **headers: str) -> Example:
    return example._sip("received", "INVITE sip:ai@192.0.2.60 SIP/2.0", "INVITE", body, **headers)


def called(offer: str = "", **headers: Any) -> Example:
    return Example().dials().asks("INVITE", within=False, offer=offer, **headers)


# -- digits


@pytest.mark.parametrize(
    ("offer", "reached", "answered", "answer", "negotiated"),
    [
        (True, True, True, True, "in all of them"),
        (True, False, False, False, "the platform took it out of the offer to the AI"),
        (True, False, True, True, "the platform took it out of the offer to the AI"),
        (True, True, False, False, "the AI did not take it"),
        (True, True, True, False, "the platform took it out of the answer to the caller"),
        (False, False, False, False, None),
        (False, True, True, True, None),
        (False, True, False, True, "the AI did not take it"),
    ],
)
def test_where_telephone_event_was_lost(
    offer: bool, reached: bool, answered: bool, answer: bool, negotiated: str | None
) -> None:
    offers, gets, says, hears = (sdp(EVENTS if has else "") for has in (offer, reached, answered, answer))
    example = Example().dials().asks("INVITE", 200, "OK", within=False, offer=offers, answer=hears)
    facts = facts_of(at_ai(example, gets).ai_answers(200, sdp=says))
    assert facts.value("digits.negotiated") == negotiated


@pytest.mark.parametrize(("method", "told"), [("rfc4733", True), ("", True), ("info", False)])
def test_digits_by_info_need_no_telephone_event(method: str, told: bool) -> None:
    example = Example(row="DTMF-INFO").dials().asks("INVITE", 200, "OK", within=False, offer=sdp(EVENTS), answer=sdp())
    example.answered().taken().to_ai().to_caller().finding("dtmf", "assistant main", sent="1", seen="", method=method)
    assert ("digits.negotiated" in facts_of(example)) is told
    assert [cause.id for cause in example.diagnose().causes] == ["dtmf-not-negotiated" if told else "digits-lost"]


# -- 100rel


@pytest.mark.parametrize(
    ("asked", "arrived", "lost"),
    [
        ({"Require": "100rel"}, {"Require": "100rel"}, False),
        ({"Require": "100rel"}, {"Supported": "timer, 100rel"}, False),
        ({"Require": "100rel"}, {"Supported": "timer"}, True),
        ({"Require": "100rel"}, {}, True),
        ({"Require": "timer"}, {}, None),
        ({"Supported": "100rel"}, {}, None),
        ({}, {}, None),
    ],
)
def test_whether_100rel_was_taken_out(asked: dict[str, str], arrived: dict[str, str], lost: bool | None) -> None:
    assert facts_of(at_ai(called(**asked), "", **arrived)).value("lost.reliability") is lost
    assert facts_of(called(**asked)).value("lost.reliability") is None


@pytest.mark.parametrize(
    ("sent", "passed_on", "lost"),
    [
        ("RSeq: 1", "", True),
        ("RSeq: 1", "RSeq: 77", False),
        ("X: 1", "", False),
        ("RSeq: 1", None, False),
    ],
)
def test_whether_the_ai_s_reliable_responses_stay_reliable(sent: str, passed_on: str | None, lost: bool) -> None:
    """A platform that acknowledges them itself owes the caller reliable ones of its own (RFC 3262 section 3)."""
    example = at_ai(called(Require="100rel"), "", Require="100rel")
    name, _, value = sent.partition(": ")
    example._sip("sent", "SIP/2.0 183 Session Progress", "INVITE", to="<sip:ai@192.0.2.60>;tag=b", **{name: value})
    if passed_on is not None:
        example.caller_gets("\r\n".join(filter(None, ("SIP/2.0 183 x", "CSeq: 1 INVITE", passed_on))))
    facts = facts_of(example.finding("prack", "caller.1"))
    assert facts.value("lost.reliability") is lost
    if lost:
        assert [cause.id for cause in example.diagnose().causes] == ["reliability-not-passed-on"]


# -- encryption


@pytest.mark.parametrize(
    ("offered", "arrived", "lost"),
    [(True, True, False), (True, False, True), (False, False, False), (False, True, False)],
)
def test_whether_the_keys_were_taken_out(offered: bool, arrived: bool, lost: bool) -> None:
    example = at_ai(called(sdp(CRYPTO if offered else "")), sdp(CRYPTO if arrived else ""))
    assert facts_of(example.copy().finding("media.encrypted", "caller.1")).value("lost.encryption") is lost
    assert facts_of(example.copy().finding("media.encrypted", "caller.1", True)).value("lost.encryption") is None
    assert facts_of(called(sdp(CRYPTO)).finding("media.encrypted", "caller.1")).value("lost.encryption") is None


# -- headers


@pytest.mark.parametrize(
    ("values", "wrong"),
    [([], "missing"), (["a", "b"], "there more than once"), (["a"], "another value")],
)
def test_an_agreed_header(values: list[str], wrong: str) -> None:
    facts: dict[str, Any] = {"header": "X-Account", "values": values, "value": "b"}
    assert facts_of(Example().finding("header", "assistant main", **facts)).value("header.ai") == wrong
    assert facts_of(Example().finding("header.absent", "billing.1", **facts)).value("header.agent") == wrong
    assert "header.ai" not in facts_of(Example().finding("header", "caller.1", **facts))
    assert "header.ai" not in facts_of(Example().finding("header", "assistant main", True, **facts))
