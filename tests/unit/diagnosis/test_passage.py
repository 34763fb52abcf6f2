"""Facts on what is lost or changed on the way: numbers, headers, digits, encryption, reliable
responses.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.diagnosis.audio_examples import warm_shows
from tests.unit.diagnosis.case import CALLER, Example, description, dialled, named, talk, value

EVENTS = "a=rtpmap:101 telephone-event/8000\r\n"


def sdp(lines: str = "") -> str:
    return description("192.0.2.2", "0 101", lines=lines)


def at_ai(example: Example, body: str, **headers: str) -> Example:
    return example._sip("received", "INVITE sip:ai@192.0.2.60 SIP/2.0", "INVITE", body, **headers)


def called(offer: str = "", **headers: Any) -> Example:
    return dialled().asks("INVITE", within=False, offer=offer, **headers)


# -- digits


@pytest.mark.parametrize(
    ("offer", "reached", "answered", "answer", "negotiated"),
    [
        (True, True, True, True, "in all of them"),
        (True, False, True, True, "the platform took it out of the offer to the AI"),
        (True, True, False, False, "the AI did not take it"),
        (True, True, True, False, "the platform took it out of the answer to the caller"),
        (False, True, True, True, None),
        (False, True, False, True, "the AI did not take it"),
    ],
)
def test_where_telephone_event_was_lost(
    offer: bool, reached: bool, answered: bool, answer: bool, negotiated: str | None
) -> None:
    offers, gets, says, hears = (
        sdp(EVENTS if has else "") for has in (offer, reached, answered, answer)
    )
    example = dialled().invited(offer=offers, answer=hears)
    assert value(at_ai(example, gets).ai_answers(200, sdp=says), "digits.negotiated") == negotiated


@pytest.mark.parametrize(
    ("method", "cause"), [("rfc4733", "dtmf-not-negotiated"), ("info", "digits-lost")]
)
def test_digits_by_info_need_no_telephone_event(method: str, cause: str) -> None:
    example = dialled(row="DTMF-INFO").invited(offer=sdp(EVENTS), answer=sdp())
    example.answered().taken().both_hear().finding(
        "dtmf", "assistant main", sent="1", seen="", method=method
    )
    assert [name for name, _ in named(example)] == [cause]


@pytest.mark.parametrize(
    ("seen", "passed", "told"),
    [
        ("12", True, "right"),
        ("12", False, "by another method"),
        ("1", False, "wrong"),
        ("", False, "none"),
    ],
)
def test_digits_that_arrived(seen: str, passed: bool, told: str) -> None:
    assert (
        value(talk().finding("dtmf", "assistant main", passed, sent="12", seen=seen), "digits")
        == told
    )


@pytest.mark.parametrize(
    ("ask", "listed", "told"), [("digit", ["0"], "arrived"), ("digit", [], "none")]
)
@pytest.mark.parametrize("without", ["", "record", "ask"])
def test_a_digit_that_asks_for_a_person(
    ask: str, listed: list[str], told: str, without: str
) -> None:
    digits = None if without == "record" else listed
    example = dialled(axes={"ask": "words" if without == "ask" else ask}).record(
        witness={"digits": digits}
    )
    assert value(example, "digits") == (None if without else told)


# -- 100rel, encryption


@pytest.mark.parametrize(
    ("asked", "arrived", "lost"),
    [
        ({"Require": "100rel"}, {"Supported": "timer, 100rel"}, False),
        ({"Require": "100rel"}, {"Supported": "timer"}, True),
        ({"Require": "timer"}, {}, None),
        ({"Supported": "100rel"}, {}, None),
    ],
)
def test_whether_100rel_was_taken_out(
    asked: dict[str, str], arrived: dict[str, str], lost: bool | None
) -> None:
    assert value(at_ai(called(**asked), "", **arrived), "lost.reliability") is lost
    assert value(called(**asked), "lost.reliability") is None


@pytest.mark.parametrize(
    ("sent", "passed_on", "lost"),
    [("RSeq", "", True), ("RSeq", "RSeq: 77", False), ("X", "", False), ("RSeq", None, False)],
)
def test_whether_the_ai_s_reliable_responses_stay_reliable(
    sent: str, passed_on: str | None, lost: bool
) -> None:
    """A platform that acknowledges them itself owes the caller reliable ones of its own (RFC 3262
    section 3).
    """
    example = at_ai(called(Require="100rel"), "", Require="100rel")
    example._sip(
        "sent",
        "SIP/2.0 183 Session Progress",
        "INVITE",
        to="<sip:ai@192.0.2.60>;tag=b",
        **{sent: "1"},
    )
    if passed_on is not None:
        example.caller_gets(
            "\r\n".join(filter(None, ("SIP/2.0 183 x", "CSeq: 1 INVITE", passed_on)))
        )
    assert value(example.finding("prack", "caller.1"), "lost.reliability") is lost


# -- headers


@pytest.mark.parametrize(
    ("values", "wrong"),
    [([], "missing"), (["a", "b"], "there more than once"), (["a"], "another value")],
)
def test_an_agreed_header(values: list[str], wrong: str) -> None:
    measured: dict[str, Any] = {"header": "X-Account", "values": values, "value": "b"}
    assert value(Example().finding("header", "assistant main", **measured), "header.ai") == wrong
    assert (
        value(Example().finding("header.absent", "billing.1", **measured), "header.agent") == wrong
    )
    assert value(Example().finding("header", "caller.1", **measured), "header.ai") is None
    assert (
        value(Example().finding("header", "assistant main", True, **measured), "header.ai") is None
    )


@pytest.mark.parametrize(
    ("values", "wanted", "told"),
    [
        ([CALLER], CALLER, "right"),
        ([], CALLER, "missing"),
        ([], None, "right"),
        (["x"], None, "unexpected"),
        ([CALLER, CALLER], CALLER, "there more than once"),
        ([CALLER.lstrip("+")], CALLER, "without its plus"),
        (["x"], CALLER, "another value"),
    ],
)
@pytest.mark.parametrize(
    ("header", "fact"),
    [("X-Gladly-Caller-Id", "header.caller"), ("x-gladly-routing-selector", "header.selector")],
)
def test_what_gladly_s_headers_say(
    header: str, fact: str, values: list[str], wanted: str | None, told: str
) -> None:
    measured: dict[str, Any] = {"header": header, "values": values, "value": wanted}
    assert value(talk().finding("header", "assistant main", **measured), fact) == told
    assert value(talk().finding("header", "billing.1", **measured), fact) is None


# -- the number shown


@pytest.mark.parametrize(
    ("host", "anonymous", "shown"),
    [
        ("platform.example", True, "no number"),
        ("anonymous.invalid", True, "anonymous"),
        (None, False, "no number"),
    ],
)
def test_a_from_without_a_user(host: str | None, anonymous: bool, shown: str) -> None:
    example = talk().finding(
        "caller_id", "assistant main", from_user="", from_host=host, anonymous=anonymous
    )
    assert value(example, "caller_id.ai") == shown


def test_a_wrong_number_in_any_invite_counts() -> None:
    wrong = "<sip:+12025550177@p.example>;tag=a"
    assert value(dialled().ai_gets(shown=wrong).ai_gets(), "caller_id.ai") == "another number"
    assert value(dialled().ai_gets(), "caller_id.ai") == "right"
    assert value(Example().ai_gets(), "caller_id.ai") is None
    assert value(dialled().dials_too("stranger").ai_gets(), "caller_id.ai") == "right"
    assert (
        value(dialled().ai_gets(shown=wrong).ai_gets(shown="<<>"), "caller_id.ai")
        == "another number"
    )


def test_the_deployment_file_says_who_decides_on_the_number_if_the_transfer_is_not_seen() -> None:
    unseen = dialled(row="TD-TRANSFER-BLIND").rings("billing").answered()
    unseen.landed("billing", "billing").caller_id("billing.1", "+12015550199")
    assert value(unseen, "transfer.way") is None
    assert value(unseen, "transfer.caller_id") == "none: the platform decides on it"
    action = {"name": "transfer_call", "type": "cold", "to": "+18155550101"}
    recorded = warm_shows("+12015550199").record(executed_actions={"a": action})
    assert value(recorded, "transfer.caller_id") == "none: the platform decides on it", (
        "the record comes first"
    )
