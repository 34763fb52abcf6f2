"""A campaign's request names no number of its own: whom it calls, the safety rules decide."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat, format_number
from pydantic import ValidationError

from harness.deployment.trigger import number_in_text
from tests.unit.safety.conftest import Lab
from tests.unit.safety.targets import DEAR, EMERGENCY

URL = "https://dialler.example/v2/campaigns/42/calls"


def campaign(**more: Any) -> dict[str, Any]:
    return {"campaign": {"trigger": "http", "url": URL, "line": "inbound", **more}}


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"url": f"{URL}?to={{customer}}&from={{line}}", "method": "GET"},
        {"url": "https://127.0.0.1:8443/campaigns/5f2a9c11-9112-4110-8112-112911abcdef"},
        {"body": '{"to": "{customer}", "campaign": 7, "attempts": [1, 2], "ring": 30, "id": "a9115550100"}'},
        {"body": "To={customer}&From={line}&At=2026-11-23T14:05:00%2B01:00"},
        {"body": "{customer},{line};{customer}"},
        {"headers": {"X-Account": "acme-4711", "Content-Type": "application/json"}},
    ],
)  # fmt: skip
def test_a_request_with_places_only_is_taken(lab: Lab, more: dict[str, Any]) -> None:
    assert lab(**campaign(**more)).campaign is not None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("url", f"{URL}?to=911"),
        ("url", f"{URL}?to=%39%31%31"),
        ("url", f"{URL}/110/start"),
        ("url", f"{URL}?to=%2B19005551234&customer={{customer}}"),
        ("url", f"{URL}?to=9{{customer}}"),
        ("body", '{"to": "+19005551234"}'),
        ("body", '{"to": "1-900-555-1234", "customer": "{customer}"}'),
        ("body", '{"to": "(900) 555 1234"}'),
        ("body", '{"to": 19005551234}'),
        ("body", '{"to": "0114490912345678"}'),
        ("body", '{"to": "112"}'),
        ("body", '{"to": "17"}'),
        ("body", '{"to": "\\u0039\\u0031\\u0031"}'),
        ("body", '{"to": "٩١١"}'),
        ("body", "<to>&#57;&#49;&#49;</to>"),
        ("body", '{"to": "*31{customer}"}'),
        ("body", '{"to": "{customer}911"}'),
        ("body", '{"to": "+442079460100"}'),
        ("headers", {"X-To": "911"}),
        ("body", '{"to": 9.11e2}'),
        ("body", '{"to": 1.9005551234e10}'),
        ("body", '{"to": "9\\t1\\n1"}'),
        ("url", f"{URL}?to=%2539%2531%2531"),
        ("body", '{"to": "{line}{customer}"}'),
    ],
)
def test_a_request_with_a_number_of_its_own_is_refused(lab: Lab, key: str, value: Any) -> None:
    where = ("campaign", "headers.X-To" if key == "headers" else key)
    with pytest.raises(ValidationError) as refused:
        lab(**campaign(**{key: value}))
    (error,) = refused.value.errors()
    ((place, said),) = error["ctx"]["error"].mistakes
    assert place == where
    assert said.endswith(" may be a number to call; allowed: {customer} and {line}, and no other")


@pytest.mark.parametrize(
    ("body", "one"),
    [
        ('{"to": "{campaign}"}', "911"),
        ('{"to": "+1{campaign}"}', "9005551234"),
        ('{"to": "{campaign}{customer}"}', "9"),
    ],
)
def test_a_campaign_s_id_that_makes_a_number_is_refused(lab: Lab, body: str, one: str) -> None:
    lab(**campaign(body='{"id": "{campaign}", "to": "{customer}"}', ids={"inbound": "c-1"}))
    with pytest.raises(ValidationError, match="may be a number to call"):
        lab(**campaign(body=body, ids={"inbound": one}))


TEMPLATES = (
    '{"to": "%s", "from": "{line}"}',
    '{"call": {"number": "%s"}}',
    "to=%s&x=1",
    "<to>%s</to>",
    "call %s now",
)


@given(
    st.sampled_from(EMERGENCY), st.sampled_from(DEAR), st.sampled_from(TEMPLATES), st.integers(0, 3)
)
def test_emergency_and_premium_numbers_are_found_in_each_form(
    emergency: tuple[str, str], dear: tuple[Any, str], template: str, form: int
) -> None:
    code, number = emergency[0], format_number(dear[0], PhoneNumberFormat.E164)
    spaced = format_number(dear[0], PhoneNumberFormat.INTERNATIONAL)
    for written in (code, (number, number[1:], "00" + number[1:], spaced)[form]):
        if template.startswith("call") and len(written) < 3:
            continue  # two digits in a sentence are mostly a count
        assert number_in_text(template % written, "US"), template % written


@pytest.mark.parametrize(
    "text", ["9" * 1_000_000 + "1", "1-" * 500_000 + "a", "+1234 " * 200_000, "{" * 1_000_000]
)
def test_a_huge_request_is_read(text: str) -> None:
    assert number_in_text(text, "US") in (None, "+1234")


@pytest.mark.parametrize(
    "name", ["Host", "host", "Content-Length", "Transfer-Encoding", "X-19005551234"]
)
def test_a_header_that_leads_elsewhere_or_names_a_number_is_refused(lab: Lab, name: str) -> None:
    with pytest.raises(ValidationError):
        lab(**campaign(headers={name: "{customer}"}))
