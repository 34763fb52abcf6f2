"""SIP messages of a call with session timers, and of a registration."""

from __future__ import annotations

from harness.case.events import SipMessage
from tests.unit.phone_events import sip_message

OURS = "<sip:u1@192.0.2.9:5070;ob>"


def message(direction: str, start: str, cseq: str, *headers: str) -> SipMessage:
    lines = [
        start,
        "Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK1",
        "From: <sip:u1@example.com>;tag=1",
        "To: <sip:b@example.com>",
        "Call-ID: a@b",
        f"CSeq: {cseq}",
        *headers,
        "Content-Length: 0",
    ]
    return sip_message(direction, "\r\n".join([*lines, "", ""]))


def invite(*headers: str) -> SipMessage:
    return message("sent", "INVITE sip:b@example.com SIP/2.0", "1 INVITE", *headers)


def answer(status: str, *headers: str) -> SipMessage:
    return message("received", f"SIP/2.0 {status}", "1 INVITE", *headers)


def registering(direction: str, start: str, *headers: str) -> SipMessage:
    return message(direction, start, "1 REGISTER", *headers)
