"""Reason, Warning and Retry-After, as servers really write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.sip.message import Message
from harness.sip.why import Q850, Reason, q850, reasons, told, warnings


def response(*lines: str) -> Message:
    return Message.parse("\r\n".join(["SIP/2.0 503 Service Unavailable", "CSeq: 1 INVITE", *lines, "", ""]))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('Q.850;cause=3;text="NO_ROUTE_DESTINATION"', [Reason("Q.850", 3, "NO_ROUTE_DESTINATION")]),
        ("Q.850 ;cause=34", [Reason("Q.850", 34)]),
        ('q.850; Cause="42" ; text=congestion', [Reason("q.850", 42, "congestion")]),
        ('SIP;cause=404;text="a, b; c"', [Reason("SIP", 404, "a, b; c")]),
        (
            'SIP ;cause=200 ;text="Call completed elsewhere", Q.850;cause=26',
            [Reason("SIP", 200, "Call completed elsewhere"), Reason("Q.850", 26)],
        ),
        ("Q.850", [Reason("Q.850")]),
        ("Q.850;cause=²", [Reason("Q.850")]),
        ('Q.850;cause=16;text="not closed', []),
        (";cause=16", []),
    ],
)
def test_reasons(value: str, expected: list[Reason]) -> None:
    assert reasons(response(f"Reason: {value}")) == expected


@pytest.mark.parametrize(
    ("lines", "cause"),
    [
        (["Reason: SIP;cause=503", "Reason: Q.850;cause=44"], 44),
        (["Reason: Q.850;cause=0"], None),
        (["Reason: SIP;cause=3"], None),
        ([], None),
    ],
)
def test_the_q850_cause(lines: list[str], cause: int | None) -> None:
    assert q850(response(*lines)) == cause


def test_what_headers_tell_a_reader() -> None:
    message = response(
        "Reason: Q.850;cause=34",
        'Warning: 399 sbc.example "maximum sessions exceeded", 370 192.0.2.1 insufficient bandwidth',
        "Retry-After: 120 (maintenance)",
    )
    assert told(message) == (
        "Reason Q.850 cause 34 (no circuit/channel available)",
        'Warning 399 of sbc.example: "maximum sessions exceeded"',
        'Warning 370 of 192.0.2.1: "insufficient bandwidth"',
        "Retry-After: 120 (maintenance)",
    )
    assert told(response()) == ()
    assert str(Reason("Q.850", 200)) == "Reason Q.850 cause 200"
    assert str(Reason("SIP", 3)) == "Reason SIP cause 3"


def test_the_names_of_causes_that_calls_are_refused_for() -> None:
    assert (Q850[1], Q850[3]) == ("unallocated (unassigned) number", "no route to destination")
    assert (Q850[34], Q850[42]) == ("no circuit/channel available", "switching equipment congestion")


@given(st.text(st.characters(blacklist_characters="\r\n\x00", blacklist_categories=["Cs"]), max_size=80))
def test_nothing_breaks_it(value: str) -> None:
    message = response("Reason: x").setting("Reason", value).setting("Warning", value).setting("Retry-After", value)
    told(message)
    assert warnings(message) is not None
