from __future__ import annotations

import pytest

from harness.checks import identity
from harness.sip.message import Message
from harness.verdict import Verdict

CALLER = "+14155550101"


def invite(from_: str, *more: str) -> Message:
    lines = [
        "INVITE sip:+12065550100@192.0.2.1:32681 SIP/2.0",
        "Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK1",
        f"From: {from_};tag=1",
        "To: <sip:+12065550100@192.0.2.1>",
        "Call-ID: a@b",
        "CSeq: 1 INVITE",
        "Max-Forwards: 70",
        *more,
        "Content-Length: 0",
    ]
    return Message.parse("\r\n".join(lines) + "\r\n\r\n")


@pytest.mark.parametrize(
    ("from_", "form", "verdict"),
    [
        (f"<sip:{CALLER}@example.com>", "e164", Verdict.PASSED),
        (f'"Caller" <sip:{CALLER};phone-context=x@example.com>', "e164", Verdict.PASSED),
        ("<tel:+1-415-555-0101>", "e164", Verdict.PASSED),  # RFC 3966 section 5.1.1: separators mean nothing
        ("<sip:+1(415)555.0101@example.com;user=phone>", "e164", Verdict.PASSED),
        ("<sip:+1-415-555-0101@example.com>", "e164", Verdict.FAILED),  # a name like any other
        ("<sip:4155550101@example.com>", "e164", Verdict.FAILED),
        ("<sip:4155550101@example.com>", "national", Verdict.PASSED),
        (f"<sip:{CALLER}@example.com>", "national", Verdict.FAILED),
        ("<sip:4155550101@example.com>", "preserved", Verdict.PASSED),
        ("<sip:14155550101@example.com>", "preserved", Verdict.PASSED),
        ("<sip:+14155550102@example.com>", "preserved", Verdict.FAILED),
        ("<sip:anonymous@anonymous.invalid>", "preserved", Verdict.FAILED),
        ("<sip:example.com>", "e164", Verdict.FAILED),
    ],
)
def test_caller_id(from_: str, form: str, verdict: Verdict) -> None:
    finding = identity.caller_id(invite(from_), "ai", CALLER, form, "US")
    assert finding.verdict is verdict


def test_caller_id_tells_what_came_instead() -> None:
    message = invite("<sip:+13125550100@example.com>", f"P-Asserted-Identity: <sip:{CALLER}@example.com>")
    finding = identity.caller_id(message, "ai", CALLER, "e164", "US", "m4")
    assert finding.facts["from_e164"] == "+13125550100"
    assert finding.facts["asserted"] == [CALLER]
    assert finding.evidence == ("m4",)
    assert "+13125550100" in finding.actual
    assert CALLER in finding.actual


def test_withheld_number_needs_all_three() -> None:
    anonymous = "<sip:anonymous@anonymous.invalid>"
    asserted = f"P-Asserted-Identity: <sip:{CALLER}@example.com>"
    whole = identity.withheld(invite(anonymous, asserted, "Privacy: id;header"), "ai", CALLER, "US")
    assert whole.verdict is Verdict.PASSED
    for from_, more in (
        (f"<sip:{CALLER}@example.com>", [asserted, "Privacy: id"]),
        (anonymous, ["Privacy: id"]),
        (anonymous, [asserted]),
        (anonymous, [asserted.replace("0101", "0102"), "Privacy: id"]),
    ):
        assert identity.withheld(invite(from_, *more), "ai", CALLER, "US").verdict is Verdict.FAILED


def test_tel_in_asserted_identity_counts() -> None:
    message = invite("<sip:anonymous@anonymous.invalid>", f"P-Asserted-Identity: <tel:{CALLER}>", "Privacy: id")
    assert identity.withheld(message, "ai", CALLER, "US").verdict is Verdict.PASSED


def test_a_contact_may_hold_the_number_it_is_reached_by() -> None:
    """A proxy passes the phone's own on, and may not change it."""
    message = invite(
        "<sip:anonymous@anonymous.invalid>",
        f"P-Asserted-Identity: <sip:{CALLER}@example.com>",
        "Privacy: id",
        f"Contact: <sip:{CALLER}@192.0.2.9>",
    )
    assert identity.withheld(message, "ai", CALLER, "US").verdict is Verdict.PASSED


def test_of_the_platform_s_numbers_the_one_shown_is_told() -> None:
    numbers = {"+14155550101", "+14155550102", "+14155550103"}
    for shown in sorted(numbers):
        finding = identity.platforms_number(invite(f"<sip:{shown}@p.example>"), "anna", numbers, "US")
        assert (finding.verdict, finding.facts["number"]) == (Verdict.PASSED, shown)
    other = identity.platforms_number(invite("<sip:+14155550199@p.example>"), "anna", numbers, "US")
    assert (other.verdict, other.facts["number"]) == (Verdict.FAILED, "+14155550101")
