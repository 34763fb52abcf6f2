"""Calls whose softphone dies."""

from __future__ import annotations

from harness.calls.events import Direction, SipMessage
from tests.unit.phone_events import sip_message

INVITE = (
    "INVITE sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n"
    "Record-Route: <sip:127.0.0.8:5080;lr>\r\nRecord-Route: <sip:127.0.0.7;lr>\r\n"
    "From: <sip:a@example.com>;tag=fa\r\nTo: <sip:b@example.com>\r\nContact: <sip:a@127.0.0.1:5060>\r\n"
    "Call-ID: c1\r\nCSeq: 41 INVITE\r\nContent-Length: 0\r\n\r\n"
)


def answer(status: int, tag: str = ";tag=tb", extra: str = "", number: int = 41) -> str:
    return (
        f"SIP/2.0 {status} X\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK1\r\n{extra}"
        f"From: <sip:a@example.com>;tag=fa\r\nTo: <sip:b@example.com>{tag}\r\nContact: <sip:b@127.0.0.2:5060>\r\n"
        f"Call-ID: c1\r\nCSeq: {number} INVITE\r\nContent-Length: 0\r\n\r\n"
    )


def message(direction: Direction, text: str, local: str, remote: str) -> SipMessage:
    return sip_message(direction, text, at=0.0, local=local, remote=remote)


def answered_call(local: str, remote: str, call_id: str = "c1") -> list[SipMessage]:
    """The messages of a call that the phone at ``local`` placed, and that is up."""
    texts: tuple[tuple[Direction, str], ...] = (
        ("sent", INVITE),
        ("received", answer(200).replace("127.0.0.2:5060", remote)),
    )
    return [message(direction, text.replace("c1", call_id), local, remote) for direction, text in texts]
