"""Headers as pjsip may see them: without those that crash it, and without another transport for the
next hop.
"""

from __future__ import annotations

import pytest

from harness.phone.child.header_rewrites import Targets, UnsafeHeaders
from harness.phone.child.messages import WireMessage, read_text


def response(status: int, method: str, call_id: str = "one") -> WireMessage:
    text = f"SIP/2.0 {status} x\r\nCall-ID: {call_id}\r\nCSeq: 1 {method}\r\n\r\n"
    return read_text(text, direction="received")


@pytest.mark.parametrize(
    ("header", "is_out"),
    [
        ("Contact: <sip:a@192.0.2.1>;expires=60", False),
        ("Contact: <SIPS:a@192.0.2.1>", False),
        ('Contact: "<tel:911>" <sip:a@192.0.2.1>', False),
        ('Contact: "a \\" <tel:1>" <sip:a@192.0.2.1>', False),
        ("Contact: <tel:911>", True),
        ('Contact: "<sip:a@b>" <http://x/>', True),
        ("Contact: *", True),
        ("Record-Route: <sip:192.0.2.1;lr>", False),
        ("Record-Route: <tel:911;lr>", True),
        ("Expires: 4294967295", False),  # of an INVITE
    ],
)
def test_where_a_dialog_leads(header: str, is_out: bool) -> None:
    assert UnsafeHeaders().of(response(200, "INVITE"), [header]) == [is_out]
    assert UnsafeHeaders().of(response(302, "INVITE"), [header]) == [False], (
        "a redirection is followed nowhere"
    )


@pytest.mark.parametrize("seconds", [0, 1, 3600, 2**31 - 1, 2**31, 2**32 - 1, 10**4000])
def test_how_long_a_registration_lasts(seconds: int) -> None:
    digits = "9" * 4001 if seconds == 10**4000 else str(seconds)
    headers = [f"Expires: {digits}", f"Contact: <sip:a@192.0.2.1>;q=1;expires={digits}"]
    assert UnsafeHeaders().of(response(200, "REGISTER"), headers) == [seconds >= 2**31] * 2


@pytest.mark.parametrize(
    ("seconds", "is_out"),
    [
        ("0", True),
        ("1", True),
        ("2", False),
        ("120", False),
        (str(2**32 + 1), True),
        ("1" * 4001, True),
        ("soon", True),
    ],
)
def test_how_often_a_registrar_wants_to_be_pinged(seconds: str, is_out: bool) -> None:
    assert UnsafeHeaders().of(response(200, "REGISTER"), [f"Flow-Timer: {seconds}"]) == [is_out]


@pytest.mark.parametrize("each", [1, 3])
def test_no_more_routes_than_there_are_places_for(each: int) -> None:
    header = "Service-Route: " + ", ".join(["<sip:192.0.2.1;lr>"] * each)
    for count in range(1, 12):
        out = UnsafeHeaders().of(response(200, "REGISTER"), [header] * count)
        assert out == [count * each > 8] * count


def test_a_registrar_has_one_shortest_interval() -> None:
    known, header = UnsafeHeaders(), ["Min-Expires: 600"]
    seen = [
        (status, known.of(response(status, "REGISTER"), header)[0])
        for status in (423, 401, 423, 423, 200, 423, 423)
    ]
    assert seen == [
        (423, False),
        (401, False),
        (423, True),
        (423, True),
        (200, False),
        (423, False),
        (423, True),
    ]
    assert known.of(response(423, "REGISTER", "another"), header) == [False]


HOP, NEXT = "Contact: <sip:a@192.0.2.1;transport=tcp>", "Contact: <sip:a@192.0.2.1>"
FIRST, LAST = (
    "Record-Route: <sip:192.0.2.2;transport=tcp;lr>",
    "Record-Route: <sip:192.0.2.3;transport=tcp;lr>",
)


def received(
    start: str, transport: str = "udp", method: str = "INVITE", tag: str = ""
) -> WireMessage:
    mine, theirs = ("From: <sip:a@x>;tag=us", "To: <sip:b@x>;tag=them")
    if not start.startswith("SIP/"):
        mine, theirs = f"To: <sip:a@x>{tag}", "From: <sip:b@x>;tag=them"
    text = f"{start}\r\n{mine}\r\n{theirs}\r\nCall-ID: c\r\nCSeq: 1 {method}\r\n\r\n"
    return read_text(text, direction="received", transport=transport)


ANSWER, OFFER = received("SIP/2.0 200 OK"), received("INVITE sip:a@x SIP/2.0")


@pytest.mark.parametrize(
    ("transport", "header", "seen"),
    [
        ("udp", "Contact: <sip:a@b;transport=udp;ob>", None),
        ("udp", "Contact: <sip:a@b;transport=ws>", None),
        (
            "udp",
            "Contact: <sip:a@b;transport=TCP;ob>;q=1;transport=tcp",
            "Contact: <sip:a@b;ob>;q=1;transport=tcp",
        ),
        (
            "tcp",
            'Contact: "<sip:x;transport=udp>\\"" <sip:b;transport=udp>',
            'Contact: "<sip:x;transport=udp>\\"" <sip:b>',
        ),
        ("tls", "Contact: <sips:a@b;transport=tcp>", "Contact: <sips:a@b>"),
        ("tls", "Contact: <sip:a@b:5061;Transport = tls>", None),
        ("tcp", "Contact: <SIPS:a@b>", "Contact: <sip:a@b>"),
        ("udp", "Contact: *", None),
    ],
)
def test_the_next_hop_asks_for_no_other_transport(
    transport: str, header: str, seen: str | None
) -> None:
    assert Targets().of(received("SIP/2.0 200 OK", transport), [header]) == [seen or header]


def test_behind_a_route_the_target_is_the_proxys_affair() -> None:
    assert Targets().of(ANSWER, [HOP, FIRST, LAST]) == [
        HOP,
        FIRST,
        "Record-Route: <sip:192.0.2.3;lr>",
    ]
    assert Targets().of(OFFER, [HOP, FIRST, LAST]) == [
        HOP,
        "Record-Route: <sip:192.0.2.2;lr>",
        LAST,
    ]
    assert Targets().of(ANSWER, ["Contact: <sips:a@b>", LAST])[0] == "Contact: <sip:a@b>", (
        "pjsip would want TLS"
    )


@pytest.mark.parametrize("first", [ANSWER, OFFER])
def test_a_route_set_stays_as_it_is(first: WireMessage) -> None:
    """RFC 3261 section 12.2: Record-Route of a re-INVITE is ignored, and so is its absence."""
    again = [
        ANSWER,
        received("INVITE sip:a@x SIP/2.0", tag=";tag=us"),
        received("SIP/2.0 200 OK", method="UPDATE"),
    ]
    routed, direct = Targets(), Targets()
    routed.of(first, [HOP, FIRST])
    direct.of(first, [HOP])
    for message in again:
        assert routed.of(message, [HOP]) == [HOP]
        assert direct.of(message, [HOP, FIRST]) == [NEXT, FIRST]


def test_an_early_answer_may_leave_the_routes_out() -> None:
    known = Targets()
    assert known.of(received("SIP/2.0 180 Ringing"), [HOP]) == [NEXT]
    assert known.of(ANSWER, [HOP, LAST])[0] == HOP


def test_others_contacts_lead_nowhere() -> None:
    """A registrar lists all bindings, and pjsip looks for its own."""
    assert Targets().of(received("SIP/2.0 200 OK", method="REGISTER"), [HOP]) == [HOP]
    assert Targets().of(received("SIP/2.0 302 Elsewhere"), [HOP]) == [HOP]
