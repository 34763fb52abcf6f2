"""Who calls, by which header."""

from __future__ import annotations

import pytest

from harness.sip.identity import (
    dialled_at_home,
    digits_of,
    has_national_form,
    is_spelling,
    known_spellings,
    national,
    normalise,
    numbers_shown,
    readings,
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


@pytest.mark.parametrize(
    ("number", "region", "meant"),
    [
        ("492214710123", DE, ["+492214710123", "+49492214710123"]),
        ("442079460123", DE, ["+442079460123", "+49442079460123"]),
        # North Americans write national numbers without a trunk prefix.
        ("479-555-0123", US, ["+14795550123", "+4795550123"]),
        ("02214710123", DE, ["+492214710123"]),
        ("442079460123", GB, ["+442079460123"]),
        ("4930123456", US, ["+4930123456"]),
        ("agent-1", US, []),
    ],
)
def test_both_valid_readings_of_a_number_are_known_and_the_likelier_comes_first(
    number: str, region: str, meant: list[str]
) -> None:
    assert list(readings(number, region)) == meant


def request(
    *lines: str, source: str = '"A" <sip:+12065550123@carrier.example.com>;tag=1'
) -> Request:
    message = Message.parse(
        "INVITE sip:x SIP/2.0\r\nFrom: "
        + source
        + "".join(f"\r\n{line}" for line in lines)
        + "\r\n\r\n"
    )
    assert isinstance(message, Request)
    return message


ANONYMOUS = '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1'
TRUNK = "<sip:trunk@c.example>;tag=1"


@pytest.mark.parametrize(
    ("message", "numbers"),
    [
        (request(), ["+12065550123"]),
        # RFC 3325 section 9.1: one sip and one tel URI may stand side by side
        (
            request('P-Asserted-Identity: "A" <sip:+12065550124@c.example>, <tel:+1-206-555-0125>'),
            ["+12065550124", "+12065550125", "+12065550123"],
        ),
        (
            request("P-Asserted-Identity: <tel:+12065550123>", "Privacy: id", source=ANONYMOUS),
            ["+12065550123"],
        ),
        (
            request(
                'Remote-Party-ID: "A" <sip:12065550123@c.example>;party=calling;screen=yes;privacy=full',
                "Remote-Party-ID: <sip:+12065550199@c.example>;party=called",
                "P-Asserted-Identity: <tel:+12065550125>",
                source=TRUNK,
            ),
            ["+12065550125", "+12065550123"],
        ),
        (request("Remote-Party-ID: <sip:+12065550124@c.example>", source=TRUNK), ["+12065550124"]),
        # RFC 3966 section 5.1.5: a local number is told by its phone-context
        (
            request("P-Asserted-Identity: <tel:555-0188;phone-context=+1206>", source=TRUNK),
            ["+12065550188"],
        ),
        (request(source="<sip:+12065550123;isub=1@c.example;user=phone>;tag=1"), ["+12065550123"]),
        # a broken header counts as absent
        (
            request(
                'P-Asserted-Identity: "open <sip:x@y>',
                "P-Asserted-Identity: <tel:+12065550124>",
                source=TRUNK,
            ),
            ["+12065550124"],
        ),
        (request(source=ANONYMOUS), []),
    ],
)
def test_the_numbers_that_a_caller_shows(message: Request, numbers: list[str]) -> None:
    assert list(numbers_shown(message, US)) == numbers


def test_digits_that_are_a_known_numbers_are_no_national_form() -> None:
    known = known_spellings(["+493012345678"])
    message = request(
        "P-Asserted-Identity: <sip:00493012345678@c.example>",
        source="<sip:493012345678@c.example>;tag=1",
    )
    assert numbers_shown(message, US, known) == ("+493012345678",)


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
