"""SIP messages of a registration."""

from __future__ import annotations

from harness.calls.events import SipMessage
from tests.unit.phone_events import sip_message

OURS = "<sip:u1@192.0.2.9:5070;ob>"


def message(direction: str, start: str, *headers: str) -> SipMessage:
    lines = [
        start,
        "Via: SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bK1",
        "From: <sip:u1@example.com>;tag=1",
        "To: <sip:u1@example.com>",
        "Call-ID: a@b",
        "CSeq: 1 REGISTER",
        *headers,
    ]
    return sip_message(direction, "\r\n".join([*lines, "", ""]))
