"""Reason, Warning and Retry-After, as servers really write them."""

from __future__ import annotations

import pytest

from harness.sip.message import Message
from harness.sip.why import Q850, Reason, q850, reasons, stated


def response(*lines: str) -> Message:
    return Message.parse(
        "\r\n".join(["SIP/2.0 503 Service Unavailable", "CSeq: 1 INVITE", *lines, "", ""])
    )


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
    assert stated(message) == (
        "Reason Q.850 cause 34 (no circuit/channel available)",
        'Warning 399 of sbc.example: "maximum sessions exceeded"',
        'Warning 370 of 192.0.2.1: "insufficient bandwidth"',
        "Retry-After: 120 (maintenance)",
    )
    assert stated(response()) == ()
    assert str(Reason("Q.850", 200)) == "Reason Q.850 cause 200"
    assert str(Reason("SIP", 3)) == "Reason SIP cause 3"


#: A word of each cause's name in ITU-T Q.850 (05/98), table 1, from which it is told.
CAUSES = """
1 unallocated  2 transit  3 destination  4 information  5 prefix  6 unacceptable  7 awarded  8 pre-emption
16 clearing  17 busy  18 responding  19 alerted  20 absent  21 rejected  22 changed  25 routing  26 non-selected
27 order  28 format  29 facility  31 normal
34 circuit  38 network  41 temporary  42 congestion  43 discarded  44 requested  47 resource
50 subscribed  55 CUG  57 authorized  58 presently  63 service
65 bearer  69 facility  79 service  88 incompatible  95 invalid  97 message  99 element  102 timer  111 protocol  127 interworking
"""


def test_each_cause_has_its_own_name() -> None:
    words = CAUSES.split()
    wanted = dict(zip(map(int, words[::2]), words[1::2], strict=True))
    assert set(Q850) == set(wanted)
    assert [cause for cause, word in wanted.items() if word not in Q850[cause]] == []
