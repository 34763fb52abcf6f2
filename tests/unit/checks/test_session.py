from __future__ import annotations

import pytest

from harness.calls.checks import session
from harness.calls.verdict import Verdict
from tests.unit.checks.session_messages import answer, invite, message


def test_interval_agreed_at_once() -> None:
    finding = session.interval(
        "p.1", [invite("Session-Expires: 90"), answer("200 OK", "Require: timer", "x: 90;Refresher=uac")]
    )
    assert finding.verdict is Verdict.PASSED


def test_min_se_is_honoured() -> None:
    refused = answer("422 Session Interval Too Small", "Min-SE: 100")
    good = [
        invite("Session-Expires: 90"),
        refused,
        message("sent", "ACK sip:b@example.com SIP/2.0", "1 ACK"),  # which asks for nothing
        invite("Session-Expires: 100"),
        answer("200 OK", "Session-Expires: 100;refresher=uas"),
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


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        (("Require: timer", "Session-Expires: 1800;refresher=uac"), "1800 s, longer than the 90 s asked for"),
        (("Require: timer", "Session-Expires: 60;refresher=uas"), "60 s, shorter than 90 s"),
        (("Require: timer", "Session-Expires: 90"), "90 s, which does not say who refreshes"),
        (("Session-Expires: 90;refresher=uac",), "90 s, refreshed by the caller without Require: timer"),
    ],
)
def test_an_interval_that_is_not_to_be_agreed(headers: tuple[str, ...], words: str) -> None:
    """RFC 4028 section 9; 90 s are the least there is (section 4)."""
    asks = invite("Session-Expires: 90", "Min-SE: 90")
    later = invite("Session-Expires: 1800")  # a refresh, which says nothing of what was agreed before it
    finding = session.interval("p.1", [asks, answer("200 OK", *headers), later])
    assert (finding.verdict, finding.actual) == (Verdict.FAILED, words)
