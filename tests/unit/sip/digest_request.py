"""A request with credentials, and a clock for nonces."""

from __future__ import annotations

from harness.sip.message import Request

REQUEST = Request.build(
    "REGISTER",
    "sip:sip.example.com",
    [
        ("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1"),
        ("From", "<sip:agent@example.com>;tag=1"),
        ("To", "<sip:agent@example.com>"),
        ("Call-ID", "reg"),
        ("CSeq", "1 REGISTER"),
    ],
)


PASSWORDS = {"agent": "correct horse", "ümlaut": "pässwörd"}


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now
