"""What a phone sent over its own transport, where its far end asks for another, and whether it arrived."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.calls.events import Event, SipMessage, TransportFailed
from harness.phone.unreached import why_unreached

OVER_TCP = "Contact: <sip:b@192.0.2.1;transport=tcp>"


def told(start: str, at: float, *headers: str, number: int = 1, method: str = "", sent: bool = False) -> SipMessage:
    method = method or start.split()[0]
    mine, theirs = "<sip:a@x>;tag=us", "<sip:b@x>;tag=them"
    text = "\r\n".join(
        [
            start,
            "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1",
            f"From: {mine}",
            f"To: {theirs}",
            "Call-ID: c",
            f"CSeq: {number} {method}",
            *headers,
            "\r\n",
        ]
    )
    way: Any = "sent" if sent else "received"
    common: Any = {"phone": "caller", "leg": "caller.1", "transport": "udp", "local": "l", "remote": "r", "text": text}
    return SipMessage(at=at, direction=way, **common)


def accepted(copies: int, *headers: str) -> list[Event]:
    return [told("SIP/2.0 200 OK", float(at), *headers, method="INVITE") for at in range(copies)]


def bye(copies: int) -> list[Event]:
    return [told("BYE sip:b@x SIP/2.0", 10.0 + at, number=2, sent=True) for at in range(copies)]


FAILED = TransportFailed(at=11.0, phone="caller", leg=None, transport="tcp", remote="192.0.2.1:5060", reason="refused")


@pytest.mark.parametrize(
    ("headers", "asked"),
    [
        ([OVER_TCP], "TCP"),
        (["Contact: <sips:b@192.0.2.1;transport=tcp>"], "TLS"),
        ([OVER_TCP, "Record-Route: <sip:192.0.2.3;lr>, <sip:192.0.2.2;transport=tls;lr>"], "TLS"),
        ([OVER_TCP, "Record-Route: <sip:192.0.2.3;transport=tls;lr>, <sip:192.0.2.2;lr>"], ""),
        (["Contact: <sip:b@192.0.2.1;transport=udp>"], ""),
        (["Contact: <sip:b@192.0.2.1>"], ""),
        ([], ""),
    ],
)
@pytest.mark.parametrize("lost", ["ACK", "BYE", "BYE, at once"])
def test_what_went_another_way_than_asked_may_not_have_arrived(headers: list[str], asked: str, lost: str) -> None:
    events = {
        "ACK": accepted(3, *headers),
        "BYE": [*accepted(1, *headers), *bye(3)],
        "BYE, at once": [*accepted(1, *headers), *bye(1), FAILED],
    }[lost]
    why = why_unreached(events)
    assert (why is not None) == bool(asked)
    said = f"caller.1's far end asks for {asked} in 'SIP/2.0 200 OK', but the phone has only UDP: its {lost[:3]} may"
    assert why is None or str(why).startswith(said)


def test_what_was_answered_has_arrived() -> None:
    answer = told("SIP/2.0 200 OK", 20.0, number=2, method="BYE")
    assert why_unreached([*accepted(2, OVER_TCP), *bye(3), answer]) is None
    assert why_unreached([*accepted(1, OVER_TCP), *bye(2)]) is None, "it may still be answered"


def test_a_message_that_has_lost_its_cseq_is_passed_over() -> None:
    """The log cuts off what is longer than 4000 characters."""
    cut = replace(
        torn := told("SIP/2.0 183 Session Progress", 0.5, method="INVITE"), text=torn.text.partition("CSeq")[0]
    )
    assert why_unreached([cut, *accepted(1, OVER_TCP), *bye(3)]) is not None
