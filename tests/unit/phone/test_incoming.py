"""The case of an incoming call, by the number in its INVITE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.phone.child.account import CallFilter
from harness.phone.child.incoming import case_of, is_late
from harness.phone.child.messages import read_text

OTHER = "+12065550102"
MINE = "+12065550101"


@dataclass
class Case:
    claim: CallFilter
    calls: int = 0


def invite(*headers: str) -> str:
    return "\r\n".join(
        [
            "INVITE sip:+12065550199@127.0.0.1 SIP/2.0",
            *headers,
            "Call-ID: a",
            "",
            "From: <sip:1@b>",
            "",
        ]
    )


def whose(cases: Any, text: str) -> tuple[Any, list[Any]]:
    return case_of(cases, read_text(text, direction="received").parsed)


def test_the_called_party_in_a_remote_party_id_is_no_caller() -> None:
    """As the checks of a case read it (draft-ietf-sip-privacy-04 section 5.1)."""
    mine, other = Case(CallFilter((MINE,))), Case(CallFilter((OTHER,)))
    text = invite(
        f"Remote-Party-ID: <sip:{OTHER}@example.com>;party=called",
        f"From: <sip:{MINE}@example.com>;tag=1",
    )
    assert whose([other, mine], text) == (mine, [])


def test_a_national_number_is_read_as_dialled_at_the_phone() -> None:
    """020 7946 0101 is a London number at an agent in London; the same digits end others, too."""
    london, elsewhere = "+442079460101", "+4902079460101"
    cases = [Case(CallFilter((number,), region="GB")) for number in (elsewhere, london)]
    text = invite("From: <sip:02079460101@example.com>;tag=1")
    assert whose(cases, text) == (cases[1], [])


@pytest.mark.parametrize(
    "headers",
    [
        ["From: <sip:+12065550101@example.com>;tag=1"],
        ["From:\r\n \"Zoë\"\r\n\t<sip:+12065550101@example.com>;tag=1"],
        ['From: "sip:+12065550102@x <tel:+12065550102>" <sip:+12065550101@example.com>;tag=1'],
        ["From: <sip:%2B1206555%30101@example.com>;tag=1"],
        ["From: <sip:+12065550101;phone-context=example.com@example.com;user=phone>;tag=1"],
        ["P-Asserted-Identity: <sip:alice@example.com>, <tel:+1-206-555-0101>", "From: <sip:anonymous@anonymous.invalid>;tag=1"],
        ["P-Asserted-Identity:\r\n <tel:+12065550101>", "From: <sip:+12065550102@example.com>;tag=1"],
        ["f: tel:+12065550101;tag=1"],
        ["From: <sip:+12065550101:0102@example.com>;tag=1"],
    ],
)  # fmt: skip
def test_a_number_is_found_wherever_it_may_stand(headers: list[str]) -> None:
    mine, other = Case(CallFilter((MINE,))), Case(CallFilter((OTHER,), lands=True))
    assert whose([other, mine], invite(*headers)) == (mine, [])


@pytest.mark.parametrize(
    "host", ["192.168.100.200", "[2001:db8:1234:5678::1]", "20655501010.example.com"]
)
def test_a_host_is_no_number(host: str) -> None:
    """A URI may have no user (RFC 3261 section 19.1.1): such a call shows no number."""
    withheld, other = (
        Case(CallFilter((MINE,), withheld=True)),
        Case(CallFilter((OTHER,), lands=True)),
    )
    assert whose([other, withheld], invite(f"From: <sip:{host}:5060>;tag=1")) == (withheld, [])


@pytest.mark.parametrize("user", ["0000000000", "000000", "0000101", "00000101"])
def test_zeros_ahead_of_a_number_make_an_extension_none(user: str) -> None:
    """Without the zeros nothing may be left, and every number ends with nothing."""
    withheld, other = (
        Case(CallFilter((MINE,), withheld=True, region="US")),
        Case(CallFilter((OTHER,), lands=True, region="US")),
    )
    assert whose([other, withheld], invite(f"From: <sip:{user}@example.com>;tag=1")) == (
        withheld,
        [],
    )
    alone = Case(CallFilter((MINE,), region="US"))
    assert whose([alone, withheld], invite(f"From: <sip:{user}@example.com>;tag=1")) == (
        withheld,
        [],
    )


@pytest.mark.parametrize(
    ("shown", "now", "late"),
    [
        (OTHER, 9.9, True),
        (OTHER, 10.0, False),
        (MINE, 9.9, False),
        ("+12065550140", 9.9, False),
        ("anonymous", 9.9, False),
    ],
)
def test_a_call_of_a_case_that_is_over_is_late(shown: str, now: float, late: bool) -> None:
    cases: Any = [Case(CallFilter((MINE,), lands=True, ended={OTHER: 10.0}))]
    read = read_text(invite(f"From: <sip:{shown}@example.com>;tag=1"), direction="received")
    assert is_late(cases, read.parsed, now) is late
    asserted = invite(f"P-Asserted-Identity: <tel:{MINE}>", f"From: <sip:{shown}@example.com>")
    assert not is_late(cases, read_text(asserted, direction="received").parsed, now)


SHOWN = {"mine": MINE, "other's": OTHER, "the platform's": "+12065550140", "none": "anonymous"}


@given(
    shown=st.sampled_from(list(SHOWN)),
    land=st.lists(st.booleans(), min_size=1, max_size=4),
    had=st.lists(st.integers(0, 2), min_size=4, max_size=4),
)
def test_a_call_that_shows_no_case_s_number_may_be_each_one_s(
    shown: str, land: list[bool], had: list[int]
) -> None:
    """A call that was to land elsewhere, or nowhere, may come to a phone that its case only
    watches.
    """
    numbers = [MINE, OTHER, "+12065550103", "+12065550104"]
    cases = [
        Case(CallFilter((number,), lands=lands), calls)
        for number, lands, calls in zip(numbers, land, had, strict=False)
    ]
    found, guesses = whose(cases, invite(f"From: <sip:{SHOWN[shown]}@example.com>;tag=1"))
    owner = next((case for case in cases if SHOWN[shown] in case.claim.numbers), None)
    if owner is not None:
        assert found is owner
        assert guesses == []
        return
    assert found is not None
    assert found.claim.lands is any(land)
    assert guesses == (cases if len(cases) > 1 else [])
