"""Where pjsip is told that a call's requests go."""

from __future__ import annotations

import pytest

from harness.phone.child.sip_log import LoggedMessage, read_text
from harness.phone.child.targets import Targets

HOP, NEXT = "Contact: <sip:a@192.0.2.1;transport=tcp>", "Contact: <sip:a@192.0.2.1>"
FIRST, LAST = "Record-Route: <sip:192.0.2.2;transport=tcp;lr>", "Record-Route: <sip:192.0.2.3;transport=tcp;lr>"


def received(start: str, transport: str = "udp", method: str = "INVITE", tag: str = "") -> LoggedMessage:
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
        ("udp", "Contact: <sip:a@b;transport=TCP;ob>;q=1;transport=tcp", "Contact: <sip:a@b;ob>;q=1;transport=tcp"),
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
def test_the_next_hop_asks_for_no_other_transport(transport: str, header: str, seen: str | None) -> None:
    assert Targets().of(received("SIP/2.0 200 OK", transport), [header]) == [seen or header]


def test_behind_a_route_the_target_is_the_proxys_affair() -> None:
    assert Targets().of(ANSWER, [HOP, FIRST, LAST]) == [HOP, FIRST, "Record-Route: <sip:192.0.2.3;lr>"]
    assert Targets().of(OFFER, [HOP, FIRST, LAST]) == [HOP, "Record-Route: <sip:192.0.2.2;lr>", LAST]
    assert Targets().of(ANSWER, ["Contact: <sips:a@b>", LAST])[0] == "Contact: <sip:a@b>", "pjsip would want TLS"


@pytest.mark.parametrize("first", [ANSWER, OFFER])
def test_a_route_set_stays_as_it_is(first: LoggedMessage) -> None:
    """RFC 3261 section 12.2: a re-INVITE's Record-Route means nothing, nor that there is none."""
    again = [ANSWER, received("INVITE sip:a@x SIP/2.0", tag=";tag=us"), received("SIP/2.0 200 OK", method="UPDATE")]
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
    """A registrar tells all bindings, and pjsip looks for its own."""
    assert Targets().of(received("SIP/2.0 200 OK", method="REGISTER"), [HOP]) == [HOP]
    assert Targets().of(received("SIP/2.0 302 Elsewhere"), [HOP]) == [HOP]
