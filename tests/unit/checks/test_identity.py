from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.calls.checks import headers, identity
from harness.calls.verdict import Verdict
from harness.sip.identity import dialled_at_home, has_national_form, national
from harness.sip.message import Message, Request
from tests.unit.checks import calls

CALLER = "+14155550101"


def invite(from_: str, *more: str) -> Request:
    return calls.invite(*more, from_=from_)


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
        ("<sip:14155550101@example.com>", "national", Verdict.PASSED),  # with North America's trunk prefix
        (f"<sip:{CALLER}@example.com>", "national", Verdict.FAILED),
        ("<sip:4155550101@example.com>", "preserved", Verdict.PASSED),
        ("<sip:14155550101@example.com>", "preserved", Verdict.PASSED),
        ("<sip:+14155550102@example.com>", "preserved", Verdict.FAILED),
        ("<sip:anonymous@anonymous.invalid>", "preserved", Verdict.FAILED),
        ("<sip:example.com>", "e164", Verdict.FAILED),
        # RFC 3966 section 5.1.5: a local number is completed by its context, in a SIP user part as well
        ("<tel:5550101;phone-context=+1415>", "preserved", Verdict.PASSED),
        ("<sip:4155550101;phone-context=+1@example.com;user=phone>", "preserved", Verdict.PASSED),
        ("<tel:5550101;phone-context=+1416>", "preserved", Verdict.FAILED),
        # names that hold the number are none
        ("<sip:gateway+14155550101@example.com>", "preserved", Verdict.FAILED),
        ("<sip:agent4155550101@example.com>", "preserved", Verdict.FAILED),
        ("<sip:14155550101x12@example.com>", "preserved", Verdict.FAILED),
        # RFC 4475 section 3.1.2.15: a display name that lacks its quotes hides no number
        (f"Müller & Söhne, Berlin <sip:{CALLER}@example.com>", "e164", Verdict.PASSED),
        (f"O'Neil & Co <sip:{CALLER}@not a host>", "e164", Verdict.FAILED),
    ],
)
def test_caller_id(from_: str, form: str, verdict: Verdict) -> None:
    finding = identity.caller_id(invite(from_), "ai", CALLER, form, "US")
    assert finding.verdict is verdict


@pytest.mark.parametrize(
    ("shown", "caller", "verdict"),
    [
        ("03023125001", "+493023125001", Verdict.PASSED),  # as it is dialled at home, with the trunk prefix
        ("3023125001", "+493023125001", Verdict.PASSED),
        ("+493023125001", "+493023125001", Verdict.FAILED),
        ("03023125002", "+493023125001", Verdict.FAILED),
        ("+442079460111", "+442079460111", Verdict.PASSED),  # a foreign number has no national form here
        ("00442079460111", "+442079460111", Verdict.PASSED),
        ("02079460111", "+442079460111", Verdict.FAILED),  # read here it is another's
    ],
)
def test_the_national_form_of_a_country_with_a_trunk_prefix(shown: str, caller: str, verdict: Verdict) -> None:
    finding = identity.caller_id(invite(f"<sip:{shown}@example.com>"), "agent", caller, "national", "DE")
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
        ("<sip:+13125550100@example.com>", [asserted, "Privacy: id"]),  # somebody else's number: hidden, not withheld
        ("<sip:switchboard@example.com>", [asserted, "Privacy: id"]),
        (anonymous, ["Privacy: id"]),
        (anonymous, [asserted]),
        (anonymous, [asserted.replace("0101", "0102"), "Privacy: id"]),
    ):
        assert identity.withheld(invite(from_, *more), "ai", CALLER, "US").verdict is Verdict.FAILED


@given(
    st.sampled_from(
        [
            "<sip:anonymous@anonymous.invalid>",
            '"Anonymous" <sip:x@ANONYMOUS.invalid>',
            "<sip:Restricted@ims.example>",
            "<sip:anonymous@ims.example>",
            "<sip:ims.example>",
            '"Private" <sip:private@192.0.2.7>',
            "<sip:unavailable@unknown.invalid>",
        ]
    ),
    st.permutations(["id", "header", "critical"]).flatmap(lambda all_: st.just(all_[: all_.index("id") + 1])),
    st.sampled_from([";", "; ", " ;\t"]),
    st.booleans(),
)
def test_who_asks_for_privacy_may_ask_for_more_and_spell_it_as_headers_are(
    from_: str, asked: list[str], between: str, capitals: bool
) -> None:
    """RFC 3323 section 4.2; white space is the grammar's (RFC 3261 section 25.1, SEMI)."""
    privacy = between.join(asked)
    message = invite(
        from_,
        f"P-Asserted-Identity: <sip:{CALLER}@example.com>",
        f"Privacy: {privacy.upper() if capitals else privacy}",
    )
    assert identity.withheld(message, "ai", CALLER, "US").verdict is Verdict.PASSED


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


_COUNTRIES = ("US", "CA", "GB", "DE", "FR", "IT", "AU", "BR", "IN", "JP", "NL", "MX", "TR", "ZA", "SE")
_ABROAD = {"US": "011", "CA": "011", "JP": "010", "AU": "0011"}
_VALUES = st.sampled_from(_COUNTRIES)


def _numbers(country: str) -> st.SearchStrategy[str]:
    """E.164 numbers of the country's, as its numbering plan has them."""
    example = phonenumbers.example_number_for_type(country, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE)
    example = example or phonenumbers.example_number_for_type(country, phonenumbers.PhoneNumberType.FIXED_LINE)
    assert example is not None
    plain = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
    return st.integers(0, 99).map(lambda last: f"{plain[:-2]}{last:02}")


@st.composite
def _spellings(draw: st.DrawFn) -> tuple[str, str, str]:
    """A number, where its platform is, and one of the ways that it may be written there."""
    country, region = draw(_VALUES), draw(_VALUES)
    number = draw(_numbers(country))
    ways = [number, number[1:], "00" + number[1:], _ABROAD.get(region, "00") + number[1:]]
    if country == region:
        ways += [national(number), dialled_at_home(number)]
    return number, region, draw(st.sampled_from(ways))


@given(_spellings(), st.integers(0, 9))
def test_every_spelling_of_the_caller_s_number_is_the_caller_s_and_no_other_is(
    drawn: tuple[str, str, str], last: int
) -> None:
    number, region, written = drawn
    message = invite(f"<sip:{written}@p.example>", f"P-Asserted-Identity: {written}")
    assert identity.caller_id(message, "ai", number, "preserved", region).verdict is Verdict.PASSED
    assert identity.caller_in_record(written, "ai", number, region, "c1").verdict is Verdict.PASSED
    assert identity.platforms_number(message, "anna", {number}, region).facts["number"] == number
    another = number[:-1] + str((int(number[-1]) + 1 + last % 9) % 10)
    assert identity.caller_id(message, "ai", another, "preserved", region).verdict is Verdict.FAILED
    assert identity.caller_in_record(written, "ai", another, region, "c1").verdict is Verdict.FAILED


@given(st.data(), _VALUES)
def test_a_national_form_may_have_its_trunk_prefix_and_no_number_of_another_country_has_one(
    data: st.DataObject, region: str
) -> None:
    number = data.draw(_numbers(region))
    prefix = phonenumbers.ndd_prefix_for_region(region, True) or ""
    written = data.draw(st.sampled_from([national(number), prefix + national(number), dialled_at_home(number)]))
    assert identity.caller_id(invite(f"<sip:{written}@p>"), "ai", number, "national", region).verdict is Verdict.PASSED
    foreign = data.draw(_VALUES.filter(lambda c: not has_national_form(number, c)))
    for user, verdict in ((number, Verdict.PASSED), ("00" + number[1:], Verdict.PASSED), ("4711", Verdict.FAILED)):
        assert identity.caller_id(invite(f"<sip:{user}@p>"), "ai", number, "national", foreign).verdict is verdict


@given(st.sets(st.integers(0, len(CALLER) - 1), min_size=1))
def test_a_number_that_is_escaped_is_not_withheld(escaped: set[int]) -> None:
    """RFC 3261 section 19.1.4: an escaped character is the character."""
    user = "".join(f"%{ord(char):02X}" if at in escaped else char for at, char in enumerate(CALLER))
    hidden = f'"Anonymous" <sip:{user}@anonymous.invalid>'
    message = invite(hidden, f"P-Asserted-Identity: <sip:{CALLER}@x>", "Privacy: id")
    assert identity.withheld(message, "ai", CALLER, "US").verdict is Verdict.FAILED


def test_a_display_name_in_latin_1_hides_no_number() -> None:
    from_ = b'"M\xfcller" <sip:+14155550101@x.example>'.decode("utf-8", "surrogateescape")
    assert identity.caller_id(invite(from_), "ai", CALLER, "e164", "US").verdict is Verdict.PASSED


def test_a_from_that_cannot_be_read_names_nobody() -> None:
    """The platform's fault, and none of the harness's."""
    broken = invite(f"<sip:{CALLER}@-x->")
    for finding in (
        identity.caller_id(broken, "ai", CALLER, "e164", "US"),
        identity.platforms_number(broken, "anna", {CALLER}, "US"),
        identity.withheld(broken, "ai", CALLER, "US"),
    ):
        assert (finding.verdict, "From cannot be read" in finding.actual) == (Verdict.FAILED, True)


@pytest.mark.parametrize(
    ("uri", "verdict"),
    [
        ("tel:+1-206-555-0100", Verdict.PASSED),
        ("sip:+1(206)555.0100;ext=1@192.0.2.1;user=phone", Verdict.PASSED),
        ("sip:+1-206-555-0100@192.0.2.1", Verdict.FAILED),
        ("sip:12065550100@192.0.2.1;user=phone", Verdict.FAILED),
    ],
)
def test_separators_of_a_telephone_number_mean_nothing_in_a_request_uri(uri: str, verdict: Verdict) -> None:
    request = Message.parse(f"INVITE {uri} SIP/2.0\r\n\r\n")
    assert isinstance(request, Request)
    assert headers.request_user(request, "ai", "+12065550100").verdict is verdict


@pytest.mark.parametrize("form", ["e164", "national", "preserved"])
@pytest.mark.parametrize("name", ["line1", "4912", "test-line"])
def test_a_caller_without_a_number_is_shown_by_its_user_s_name(form: str, name: str) -> None:
    """A SIP user at the platform, where no outside line is to be had."""
    shown = invite(f"<sip:{name}@p.example>")
    assert identity.caller_id(shown, "ai", name, form, "US").verdict is Verdict.PASSED
    other = invite("<sip:somebody@p.example>")
    assert identity.caller_id(other, "ai", name, form, "US").verdict is Verdict.FAILED
    assert identity.caller_in_record(name, "ai", name, "US", "c1").verdict is Verdict.PASSED
    assert identity.caller_in_report("somebody", "ai", name, "US", ["row"]).verdict is Verdict.FAILED
    asserted = ("Privacy: id", f"P-Asserted-Identity: <sip:{name}@p.example>")
    hidden = invite('"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1', *asserted)
    assert identity.withheld(hidden, "ai", name, "US").verdict is Verdict.PASSED
    told = invite(f'"{name}" <sip:anonymous@anonymous.invalid>;tag=1', *asserted)
    assert identity.withheld(told, "ai", name, "US").verdict is Verdict.FAILED
