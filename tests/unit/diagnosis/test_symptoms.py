"""Which symptom a failed finding is."""

from __future__ import annotations

from typing import Any

import pytest

from harness.case.check_table import Symptom
from harness.diagnosis.symptoms import present
from tests.unit.diagnosis.case import Example, dialled, scene_of


def shown(example: Example) -> list[Symptom]:
    return list(present(scene_of(example)))


@pytest.mark.parametrize(
    ("row", "check", "subject", "facts", "symptom"),
    [
        ("TD-INBOUND", "final_response", "OPTIONS", {"code": 405, "wanted": [200]}, "other"),
        (
            "TD-INBOUND",
            "final_response",
            "caller.1's BYE",
            {"code": 481, "wanted": [200]},
            "release",
        ),
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
        (
            "TD-INBOUND",
            "header",
            "billing.1",
            {"header": "X-Gladly-Caller-Id", "value": "x"},
            "header.other",
        ),
        (
            "TD-INBOUND",
            "header",
            "assistant main",
            {"header": "X-Gladly-Caller-Id", "value": "x"},
            "header.caller",
        ),
        (
            "TD-INBOUND",
            "header",
            "assistant main",
            {"header": "X-Gladly-Routing", "value": "x"},
            "header.selector",
        ),
        ("TD-INBOUND", "header.absent", "assistant main", {"header": "X-Caller"}, "header.other"),
        ("TD-INBOUND", "header", "caller.1", {"header": "X-Caller", "value": "x"}, "other"),
        ("TD-INBOUND", "landing", "the call", {"wanted": "reception", "rang": []}, "fallback"),
        ("TD-INBOUND", "landing", "the call", {"wanted": "billing", "rang": []}, "transfer"),
        ("TD-INBOUND", "landing", "the call", {"wanted": "customer", "rang": []}, "other"),
        ("TD-INBOUND", "released", "caller.1", {"seconds": None}, "release"),
        ("TD-INBOUND", "timing", "the call", {"seconds": 3.0, "expected_s": 1.0}, "fallback.time"),
        (
            "TD-INBOUND",
            "timing.within",
            "x",
            {"what": "the registration is refreshed"},
            "registration",
        ),
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


def test_a_stand_in_that_refused_by_itself_was_not_reached() -> None:
    def of(listener: str, code: int = 0) -> list[Symptom]:
        example = dialled(ai="stand-in").ai_gets()
        if code:
            example.ai_answers(code)
        return shown(example.finding("phone.wait", listener, why="it never came"))

    assert of("stand-in.1", 488) == ["reach"]
    assert of("stand-in.1") == ["other"]
    assert of("caller.1", 488) == ["other"]
