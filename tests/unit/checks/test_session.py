from __future__ import annotations

from harness.checks import session
from harness.events import SipMessage
from harness.verdict import Verdict


def message(direction: str, start: str, cseq: str, *headers: str) -> SipMessage:
    lines = [
        start,
        "Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK1",
        "From: <sip:a@example.com>;tag=1",
        "To: <sip:b@example.com>",
        "Call-ID: a@b",
        f"CSeq: {cseq}",
        *headers,
        "Content-Length: 0",
    ]
    text = "\r\n".join(lines) + "\r\n\r\n"
    return SipMessage(
        at=1.0,
        phone="p",
        leg="p.1",
        direction=direction,  # type: ignore[arg-type]
        transport="udp",
        local="a:1",
        remote="b:2",
        text=text,
    )


def invite(*headers: str) -> SipMessage:
    return message("sent", "INVITE sip:b@example.com SIP/2.0", "1 INVITE", *headers)


def answer(status: str, *headers: str) -> SipMessage:
    return message("received", f"SIP/2.0 {status}", "1 INVITE", *headers)


def test_interval_agreed_at_once() -> None:
    finding = session.interval(
        "p.1", [invite("Session-Expires: 90"), answer("200 OK", "Session-Expires: 90;refresher=uac")]
    )
    assert finding.verdict is Verdict.PASSED


def test_min_se_is_honoured() -> None:
    refused = answer("422 Session Interval Too Small", "Min-SE: 100")
    good = [
        invite("Session-Expires: 90"),
        refused,
        invite("Session-Expires: 100"),
        answer("200 OK", "Session-Expires: 100;refresher=uac"),
    ]
    stubborn = [
        invite("Session-Expires: 90"),
        refused,
        invite("Session-Expires: 90"),
        answer("200 OK", "Session-Expires: 90"),
    ]
    assert session.interval("p.1", good).verdict is Verdict.PASSED
    assert session.interval("p.1", stubborn).verdict is Verdict.FAILED


def test_no_interval_fails() -> None:
    assert session.interval("p.1", [invite("Session-Expires: 90"), answer("200 OK")]).verdict is Verdict.FAILED
