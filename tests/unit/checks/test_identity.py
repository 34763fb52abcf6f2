"""Checks of the caller ID in a message's identity headers, in records and in reports."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.case.checks import identity
from harness.case.verdict import Verdict
from harness.sip.identity import dialled_at_home, has_national_form, national
from harness.sip.message import Request
from tests.unit.checks import calls
from tests.unit.checks.calls import ANONYMOUS, ASSERTED, CALLER


def invite(from_: str, *more: str) -> Request:
    return calls.invite(*more, from_=from_)


def passes(from_: str, number: str = CALLER, form: str = "preserved", region: str = "US") -> bool:
    return identity.caller_id(invite(from_), "ai", number, form, region).verdict is Verdict.PASSED


@pytest.mark.parametrize(
    ("from_", "form", "passed"),
    [
        (f'"Caller" <sip:{CALLER};phone-context=x@example.com>', "e164", True),
        ("<tel:+1-415-555-0101>", "e164", True),  # RFC 3966 section 5.1.1: separators mean nothing
        ("<sip:+1(415)555.0101@example.com;user=phone>", "e164", True),
        ("<sip:+1-415-555-0101@example.com>", "e164", False),  # a name like any other
        ("<sip:4155550101@example.com>", "e164", False),
        ("<sip:4155550101@example.com>", "national", True),
        ("<sip:14155550101@example.com>", "national", True),  # with North America's trunk prefix
        (f"<sip:{CALLER}@example.com>", "national", False),
        ("<sip:14155550101@example.com>", "preserved", True),
        ("<sip:+14155550102@example.com>", "preserved", False),
        (ANONYMOUS, "preserved", False),
        ("<sip:example.com>", "e164", False),
        # RFC 3966 section 5.1.5: a local number is completed by its context, in a SIP user part as
        # well
        ("<tel:5550101;phone-context=+1415>", "preserved", True),
        ("<sip:4155550101;phone-context=+1@example.com;user=phone>", "preserved", True),
        ("<tel:5550101;phone-context=+1416>", "preserved", False),
        # names that hold the number
        ("<sip:gateway+14155550101@example.com>", "preserved", False),
        ("<sip:14155550101x12@example.com>", "preserved", False),
        # RFC 4475 section 3.1.2.15: a display name that lacks its quotes hides no number
        (f"Müller & Söhne, Berlin <sip:{CALLER}@example.com>", "e164", True),
        (f"O'Neil & Co <sip:{CALLER}@not a host>", "e164", False),
        (
            b'"M\xfcller" <sip:+14155550101@x.example>'.decode("utf-8", "surrogateescape"),
            "e164",
            True,
        ),
    ],
)
def test_caller_id(from_: str, form: str, passed: bool) -> None:
    assert passes(from_, form=form) is passed


@pytest.mark.parametrize(
    ("shown", "caller", "passed"),
    [
        ("03023125001", "+493023125001", True),  # as it is dialled at home, with the trunk prefix
        ("3023125001", "+493023125001", True),
        ("+493023125001", "+493023125001", False),
        ("03023125002", "+493023125001", False),
        ("+442079460111", "+442079460111", True),  # a foreign number has no national form here
        ("00442079460111", "+442079460111", True),
        ("02079460111", "+442079460111", False),  # read here it is another's
    ],
)
def test_the_national_form_of_a_country_with_a_trunk_prefix(
    shown: str, caller: str, passed: bool
) -> None:
    assert passes(f"<sip:{shown}@example.com>", caller, "national", "DE") is passed


def test_caller_id_tells_what_came_instead() -> None:
    finding = identity.caller_id(
        invite("<sip:+13125550100@x>", ASSERTED), "ai", CALLER, "e164", "US", "m4"
    )
    assert (finding.facts["from_e164"], finding.facts["asserted"]) == ("+13125550100", [CALLER])
    assert finding.evidence == ("m4",)
    assert finding.expected == f"From with the caller's number {CALLER} in e164 form"
    assert finding.actual == f"From says '+13125550100', P-Asserted-Identity says '{CALLER}'"


def test_of_the_platform_s_numbers_the_one_shown_is_told() -> None:
    numbers = {"+14155550101", "+14155550102"}
    shown = identity.platforms_number(invite("<sip:+14155550102@p.example>"), "anna", numbers, "US")
    assert (shown.verdict, shown.facts["number"]) == (Verdict.PASSED, "+14155550102")
    other = identity.platforms_number(invite("<sip:+14155550199@p.example>"), "anna", numbers, "US")
    assert (other.verdict, other.facts["number"]) == (Verdict.FAILED, "+14155550101")


@pytest.mark.parametrize(
    ("from_", "more", "passed"),
    [
        (ANONYMOUS, (ASSERTED, "Privacy: id;header"), True),
        (ANONYMOUS, (ASSERTED, "Privacy: header ; ID"), True),
        ('"Anonymous" <sip:x@ANONYMOUS.invalid>', (ASSERTED, "Privacy: id"), True),
        ("<sip:Restricted@ims.example>", (ASSERTED, "Privacy: id"), True),
        ("<sip:ims.example>", (ASSERTED, "Privacy: id"), True),
        (ANONYMOUS, (f"P-Asserted-Identity: <tel:{CALLER}>", "Privacy: id"), True),
        # a proxy passes the phone's own Contact on, and may not change it
        (ANONYMOUS, (ASSERTED, "Privacy: id", f"Contact: <sip:{CALLER}@192.0.2.9>"), True),
        (f"<sip:{CALLER}@example.com>", (ASSERTED, "Privacy: id"), False),
        (
            "<sip:+13125550100@example.com>",
            (ASSERTED, "Privacy: id"),
            False,
        ),  # somebody else's number
        ("<sip:switchboard@example.com>", (ASSERTED, "Privacy: id"), False),
        (ANONYMOUS, ("Privacy: id",), False),
        (ANONYMOUS, (ASSERTED,), False),
        (ANONYMOUS, (ASSERTED.replace("0101", "0102"), "Privacy: id"), False),
        # RFC 3261 section 19.1.4: an escaped character is the character
        (f'"A" <sip:%2B1415{CALLER[5:]}@anonymous.invalid>', (ASSERTED, "Privacy: id"), False),
    ],
)
def test_a_withheld_number_needs_all_three(from_: str, more: tuple[str, ...], passed: bool) -> None:
    assert (
        identity.withheld(invite(from_, *more), "ai", CALLER, "US").verdict is Verdict.PASSED
    ) is passed


def test_an_asserted_identity_without_a_number_is_shown_as_it_is() -> None:
    """It was shown as [None]."""
    said = identity.withheld(
        invite(ANONYMOUS, "P-Asserted-Identity: <tel:anonymous>", "Privacy: id"), "ai", CALLER, "US"
    )
    assert said.actual.endswith("P-Asserted-Identity ['anonymous']")


def test_a_from_that_cannot_be_read_fails() -> None:
    broken = invite(f"<sip:{CALLER}@-x->")
    for finding in (
        identity.caller_id(broken, "ai", CALLER, "e164", "US"),
        identity.platforms_number(broken, "anna", {CALLER}, "US"),
        identity.withheld(broken, "ai", CALLER, "US"),
    ):
        assert (finding.verdict, "From cannot be read" in finding.actual) == (Verdict.FAILED, True)


@pytest.mark.parametrize("form", ["e164", "national", "preserved"])
@pytest.mark.parametrize("name", ["line1", "4912"])
def test_a_caller_without_a_number_is_shown_by_its_user_s_name(form: str, name: str) -> None:
    """A SIP user at the platform, where no outside line is to be had."""
    assert passes(f"<sip:{name}@p.example>", name, form)
    assert not passes("<sip:somebody@p.example>", name, form)
    assert identity.caller_in_record(name, "ai", name, "US", "c1").verdict is Verdict.PASSED
    assert (
        identity.caller_in_report("somebody", "ai", name, "US", ["row"]).verdict is Verdict.FAILED
    )
    asserted = ("Privacy: id", f"P-Asserted-Identity: <sip:{name}@p.example>")
    assert (
        identity.withheld(invite(ANONYMOUS, *asserted), "ai", name, "US").verdict is Verdict.PASSED
    )
    told = invite(f'"{name}" {ANONYMOUS}', *asserted)
    assert identity.withheld(told, "ai", name, "US").verdict is Verdict.FAILED


_ABROAD = {"US": "011", "JP": "010", "AU": "0011"}
_COUNTRIES = st.sampled_from(
    ("US", "CA", "GB", "DE", "FR", "IT", "AU", "BR", "IN", "JP", "MX", "SE")
)


@st.composite
def _spellings(draw: st.DrawFn) -> tuple[str, str, str]:
    """A number, where its platform is, and one of the ways that it may be written there."""
    country, region = draw(_COUNTRIES), draw(_COUNTRIES)
    kinds = (
        phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE,
        phonenumbers.PhoneNumberType.FIXED_LINE,
    )
    example = next(
        filter(None, (phonenumbers.example_number_for_type(country, kind) for kind in kinds))
    )
    plain = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
    number = f"{plain[:-2]}{draw(st.integers(0, 99)):02}"
    ways = [number, number[1:], "00" + number[1:], _ABROAD.get(region, "00") + number[1:]]
    if country == region:
        ways += [national(number), dialled_at_home(number)]
    return number, region, draw(st.sampled_from(ways))


@given(_spellings(), st.integers(0, 8))
def test_every_spelling_of_the_caller_s_number_is_the_caller_s_and_no_other_is(
    drawn: tuple[str, str, str], last: int
) -> None:
    number, region, written = drawn
    assert passes(f"<sip:{written}@p.example>", number, region=region)
    assert identity.caller_in_record(written, "ai", number, region, "c1").verdict is Verdict.PASSED
    another = number[:-1] + str((int(number[-1]) + 1 + last) % 10)
    assert not passes(f"<sip:{written}@p.example>", another, region=region)
    assert identity.caller_in_record(written, "ai", another, region, "c1").verdict is Verdict.FAILED
    if written == dialled_at_home(number) and has_national_form(number, region):
        assert passes(f"<sip:{written}@p>", number, "national", region)
