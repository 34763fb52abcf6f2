"""Who calls, by which header."""

from __future__ import annotations

import pytest

from harness.sip.identity import (
    caller_id,
    dialled_at_home,
    digits_of,
    has_national_form,
    is_spelling,
    national,
    normalise,
    region_of,
)
from harness.sip.message import Message, Request
from harness.sip.uri import Uri

US, DE, GB = "US", "DE", "GB"


@pytest.mark.parametrize(
    ("number", "region", "e164"),
    [
        ("+12065550123", US, "+12065550123"),
        ("+12065550123", DE, "+12065550123"),
        ("12065550123", US, "+12065550123"),
        ("2065550123", US, "+12065550123"),
        ("(206) 555-0123", US, "+12065550123"),
        ("206.555.0123", US, "+12065550123"),
        ("01149301234567", US, "+49301234567"),
        ("0049301234567", DE, "+49301234567"),
        ("0301234567", DE, "+49301234567"),
        ("02079460123", GB, "+442079460123"),
        ("442079460123", GB, "+442079460123"),
        # Turkey's country code, 90, ends with the 0 that a national number begins with.
        ("02125550123", "TR", "+902125550123"),
        ("100", US, None),
        ("4711", US, None),
        ("+1", US, None),
        ("", US, None),
        ("anonymous", US, None),
        ("+12065550123x5", US, None),
    ],
)
def test_numbers(number: str, region: str, e164: str | None) -> None:
    assert normalise(number, region) == e164


def request(*lines: str, source: str = '"A" <sip:+12065550123@carrier.example.com>;tag=1') -> Request:
    message = Message.parse(
        "INVITE sip:x SIP/2.0\r\nFrom: " + source + "".join(f"\r\n{line}" for line in lines) + "\r\n\r\n"
    )
    assert isinstance(message, Request)
    return message


def test_a_plain_call() -> None:
    caller = caller_id(request(), US)
    assert (caller.number, caller.from_.user) == ("+12065550123", "+12065550123")


def test_asserted_identity_comes_in_two_forms() -> None:
    """RFC 3325 section 9.1: one sip and one tel URI may stand side by side."""
    message = request('P-Asserted-Identity: "A" <sip:+12065550123@c.example>, <tel:+1-206-555-0123>')
    caller = caller_id(message, US)
    assert [i.uri.scheme for i in caller.asserted] == ["sip", "tel"]
    assert {i.number for i in caller.asserted} == {"+12065550123"}


def test_a_withheld_number_is_known_to_the_trusted() -> None:
    message = request(
        "P-Asserted-Identity: <tel:+12065550123>",
        "Privacy: id;critical",
        source='"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1',
    )
    caller = caller_id(message, US)
    assert (caller.from_.number, caller.number) == (None, "+12065550123")


def test_remote_party_id() -> None:
    message = request(
        'Remote-Party-ID: "A" <sip:12065550123@c.example>;party=calling;screen=yes;privacy=full',
        "Remote-Party-ID: <sip:+12065550199@c.example>;party=called",
        source="<sip:trunk@c.example>;tag=1",
    )
    caller = caller_id(message, US)
    assert [i.number for i in caller.remote_party] == ["+12065550123"]
    assert caller.number == "+12065550123"


def test_a_local_tel_number() -> None:
    """RFC 3966 section 5.1.5: it is told by its phone-context."""
    message = request("P-Asserted-Identity: <tel:555-0188;phone-context=+1206>")
    assert [identity.number for identity in caller_id(message, US).asserted] == ["+12065550188"]


def test_tel_parameters_in_a_sip_user() -> None:
    caller = caller_id(request(source="<sip:+12065550123;isub=1@c.example;user=phone>;tag=1"), US)
    assert (caller.from_.user, caller.number) == ("+12065550123", "+12065550123")


def test_a_broken_header_counts_as_absent() -> None:
    caller = caller_id(request('P-Asserted-Identity: "open <sip:x@y>', "P-Asserted-Identity: <tel:+12065550123>"), US)
    assert [i.number for i in caller.asserted] == ["+12065550123"]


@pytest.mark.parametrize(
    ("number", "region"),
    [
        ("+12065550123", US),
        ("+4930123456", DE),
        ("+442079460123", GB),
        ("+80012345678", "none"),
    ],
)
def test_the_region_of_a_number(number: str, region: str) -> None:
    """Of one that no country has alone (+800) there is none."""
    assert region_of(number, "none") == region


@pytest.mark.parametrize(
    ("number", "region", "digits", "dialled"),
    [
        ("+12065550123", US, "2065550123", "2065550123"),
        ("+493012345678", DE, "3012345678", "03012345678"),
        ("+390612345678", "IT", "0612345678", "0612345678"),  # its 0 is part of the number
    ],
)
def test_a_number_at_home(number: str, region: str, digits: str, dialled: str) -> None:
    assert (national(number), dialled_at_home(number)) == (digits, dialled)
    assert has_national_form(number, region)
    assert not has_national_form(number, GB)
    assert is_spelling(digits, number, region)
    assert is_spelling(dialled, number, region)


@pytest.mark.parametrize(
    ("uri", "digits"),
    [
        ("tel:+1-206-555-0123", "+12065550123"),
        ("sip:+1-206-555-0123@c.example;user=phone", "+12065550123"),
        ("sip:+1-206-555-0123@c.example;user=PHONE", "+12065550123"),
        ("sip:front-desk@c.example", "front-desk"),
        ("sip:front-desk@c.example;user=dialstring", "front-desk"),
        ("sip:+12065550123;npdi@c.example", "+12065550123"),
        ("sip:c.example", ""),
    ],
)
def test_separators_mean_nothing_in_a_number_alone(uri: str, digits: str) -> None:
    assert digits_of(Uri.parse(uri)) == digits
