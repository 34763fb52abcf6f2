"""Which symptom a failed finding is."""

from __future__ import annotations

from typing import Any

import pytest

from harness.calls.checks import landing
from harness.diagnosis.rule import Symptom
from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.shown import shown


@pytest.mark.parametrize(
    ("row", "check", "subject", "facts", "symptom"),
    [
        ("TD-INBOUND", "final_response", "OPTIONS", {"code": 405, "wanted": [200]}, "other"),
        ("TD-INBOUND", "final_response", "caller.1's BYE", {"code": 481, "wanted": [200]}, "release"),
        ("TD-INBOUND", "final_response", "caller.1", {"code": 486, "wanted": [200]}, "final"),
        ("TD-INBOUND", "dtmf", "assistant main", {"sent": "1", "seen": ""}, "digits"),
        ("TD-INBOUND", "phone.wait", "caller.1", {"why": "no telephone-event"}, "digits"),
        ("TD-INBOUND", "phone.wait", "caller.1", {"why": "it never came"}, "other"),
        ("TD-TRANSFER-BLIND", "audio", "caller.1 → assistant main", {"again": True}, "other"),
        ("TD-INBOUND", "audio", "caller.1 → assistant main", {"again": True}, "audio"),
        ("TD-TRANSFER-BLIND", "audio", "caller.1 → assistant main", {}, "audio"),
        ("TD-TRANSFER-BLIND", "audio", "caller.1 → billing.1", {}, "audio.agent"),
        ("TD-INBOUND", "caller_id", "assistant main", {}, "caller_id.ai"),
        ("TD-INBOUND", "caller_id", "billing.1", {}, "caller_id.agent"),
        ("TD-INBOUND", "caller_id", "customer.1", {}, "caller_id.ai"),
        ("TD-OUTBOUND-CAMPAIGN", "caller_id", "customer.1", {}, "caller_id.customer"),
        ("TD-OUTBOUND-CAMPAIGN", "caller_id", "billing.1", {}, "caller_id.agent"),
        ("TD-INBOUND", "header", "billing.1", {"header": "X-Gladly-Caller-Id", "value": "x"}, "header.other"),
        ("TD-INBOUND", "header", "assistant main", {"header": "X-Gladly-Caller-Id", "value": "x"}, "header.caller"),
        ("TD-INBOUND", "header", "assistant main", {"header": "X-Gladly-Routing", "value": "x"}, "header.selector"),
        ("TD-INBOUND", "header.absent", "assistant main", {"header": "X-Caller"}, "header.other"),
        ("TD-INBOUND", "header", "caller.1", {"header": "X-Caller", "value": "x"}, "other"),
        ("TD-INBOUND", "landing", "the call", {"wanted": "reception", "rang": []}, "fallback"),
        ("TD-INBOUND", "landing", "the call", {"wanted": "billing", "rang": []}, "transfer"),
        ("TD-INBOUND", "landing", "the call", {"wanted": "customer", "rang": []}, "other"),
        ("TD-INBOUND", "released", "caller.1", {"seconds": None}, "release"),
        ("TD-INBOUND", "timing", "the call", {"seconds": 3.0, "expected_s": 1.0}, "fallback.time"),
        ("TD-INBOUND", "timing.within", "x", {"what": "the registration is refreshed"}, "registration"),
        ("TD-INBOUND", "timing.within", "x", {"what": "the call"}, "fallback.time"),
        ("TD-INBOUND", "timing.within", "x", {"what": "the ring"}, "other"),
        ("TD-TRANSFER-BLIND", "landing.others", "the call", {"rang": 1}, "transfer"),
        ("TD-TRANSFER-BLIND", "landing.others", "the call", {"rang": 0}, "other"),
        ("TD-INBOUND", "landing.others", "the call", {"rang": 1}, "other"),
        ("PEOPLE", "landing.others", "sales", {"rang": 1}, "transfer"),
        ("ABANDON", "landing.others", "sales", {"rang": 1}, "reach"),
        ("VOICEMAIL", "voicemail", "caller.1", {}, "transfer"),
        ("VOICEMAIL", "answered", "caller.1", {}, "transfer"),
        ("TD-INBOUND", "answered", "caller.1", {"seconds": None}, "reach"),
        ("TD-INBOUND", "ringing", "caller.1", {"seconds": None}, "reach"),
        ("TD-INBOUND", "answered", "billing.1", {"seconds": None}, "other"),
        ("TD-INBOUND", "prack", "caller.1", {}, "other"),
    ],
)
def test_what_a_finding_is_a_symptom_of(
    row: str, check: str, subject: str, facts: dict[str, Any], symptom: Symptom
) -> None:
    assert shown(Example(row=row).finding(check, subject, **facts)) == [symptom]
    assert shown(Example(row=row).finding(check, subject, True, **facts)) == []


@pytest.mark.parametrize(("taken", "symptom"), [(True, "final"), (False, "other")])
def test_a_platform_that_answers_nothing_has_not_come_to_route(taken: bool, symptom: Symptom) -> None:
    example = Example(now=0.0).dials(taken=taken).after(5).ends_here(408, "Request Timeout")
    example.finding("final_response", "caller.1", code=0, wanted=[200])
    assert shown(example) == [symptom]
    audio = Example(now=0.0).dials(taken=False).after(5).ends_here(408, "x").to_caller("no-rtp")
    assert shown(audio) == ["audio"]


@pytest.mark.parametrize(
    ("from_", "withheld", "symptoms"),
    [
        ("anonymous@anonymous.invalid", False, ["caller_id.ai", "other"]),
        ("anonymous@anonymous.invalid", True, ["other"]),
        ("+14155550101@p.example", False, ["other"]),
    ],
)
def test_a_wrong_number_seen_in_passing(from_: str, withheld: bool, symptoms: list[Symptom]) -> None:
    example = Example().dials(withheld=withheld).ai_gets(shown=f"<sip:{from_}>;tag=a").answered().taken()
    assert shown(example.copy().finding("prack", "caller.1")) == symptoms
    assert shown(example) == []


@pytest.mark.parametrize(
    ("row", "end", "symptoms"),
    [
        ("TD-INBOUND", "refused", ["reach", "fallback"]),
        ("TD-INBOUND", "ringing", ["reach"]),
        ("TD-INBOUND", "answered", []),
        ("TD-TRANSFER-BLIND", "refused", []),
    ],
)
def test_a_caller_alone_sees_that_a_call_did_not_reach_the_ai(row: str, end: str, symptoms: list[Symptom]) -> None:
    example = Example(now=0.0, row=row).dials().after(3)
    if end == "refused":
        example.ends_here(486, "x")
    elif end == "answered":
        example.answered()
    assert shown(example, "caller") == symptoms
    assert shown(example) == []


@pytest.mark.parametrize(("line", "symptoms"), [("inbound", ["reach", "fallback"]), ("busy", ["reach"])])
def test_a_refused_call_misses_no_fallback_where_none_is_set_up(line: str, symptoms: list[Symptom]) -> None:
    assert shown(Example(now=0.0, line=line).dials().after(3).ends_here(486, "x"), "caller") == symptoms


@pytest.mark.parametrize(
    ("rang", "line", "symptoms"),
    [
        ("reception", "inbound", ["reach"]),
        ("billing", "inbound", ["reach", "fallback"]),
        ("billing", "busy", ["reach"]),
        ("", "inbound", []),
    ],
)
def test_callers_and_agents_see_who_rang_instead(rang: str, line: str, symptoms: list[Symptom]) -> None:
    example = Example(now=0.0, line=line).dials()
    example = (example.rings(rang) if rang else example).after(0.2).answered()
    assert shown(example, "caller+agents") == symptoms
    assert shown(example) == []


def test_what_the_ai_s_side_says_of_who_answered_goes_before_what_a_caller_sees() -> None:
    example = Example(now=0.0).dials().after(3).ends_here(486, "x")
    assert shown(example.copy().not_taken()) == ["reach", "fallback"]
    assert shown(example.copy().taken()) == []
    assert shown(example.copy().not_taken(), "caller") == ["reach", "fallback"]


def test_a_stand_in_that_refused_by_itself_was_not_reached() -> None:
    def of(listener: str, code: int = 0) -> list[Symptom]:
        example = Example(ai="stand-in").dials().ai_gets()
        if code:
            example.ai_answers(code)
        return shown(example.finding("phone.wait", listener, why="it never came"))

    assert of("stand-in.1", 488) == ["reach"]
    assert of("stand-in.1") == ["other"]
    assert of("caller.1", 488) == ["other"]


@pytest.mark.parametrize(
    ("phone", "known", "symptom"),
    [
        ("reception", False, "reach"),
        ("support", False, "transfer.unasked"),
        ("reception", True, "transfer.unasked"),
    ],
)
def test_people_of_the_fallback_who_ring_before_anybody_asks_ring_for_want_of_the_ai(
    phone: str, known: bool, symptom: str
) -> None:
    """Unless the AI is known to have answered: then it, or the platform, has handed the caller over."""
    example = Example(row="TD-TRANSFER-BLIND").dials().after(0.3).rings(phone)
    example = example.taken() if known else example
    example.finding("landing.turn", phone, expected=f"it does not ring before {landing.ASKED}", rang=1)
    assert shown(example)[0] == symptom
