"""OPTIONS outside any call: only a response received over the wire is an answer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from harness.case.events import SipMessage
from harness.case.verdict import Verdict
from harness.errors import BrokenError
from harness.scenario.case_phones import send_options
from harness.scenario.cast import Cast
from tests.unit.scenario.conftest import MakeContext

OPTIONS = (
    "OPTIONS sip:sbc.example SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:1;branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag=1\r\n"
    "To: <sip:sbc.example>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n\r\n"
)


def _silence(*sent: str) -> Any:
    """A phone whose requests stay unanswered, and whose log has the messages it sent."""
    events = [
        SipMessage(
            at=1.0,
            phone="agent",
            leg=None,
            direction="sent",
            transport="udp",
            local="",
            remote="",
            text=text,
        )
        for text in sent
    ]
    phone = SimpleNamespace(
        name="agent", config=SimpleNamespace(username="a", password="b", realm=""), events=[]
    )

    def request(*what: str, within: float, credentials: object) -> tuple[int, str]:
        assert within > 32.0
        phone.events += events
        return 408, "Request Timeout"

    phone.request = request
    return phone


def test_a_platform_that_ignores_options_has_not_answered(make_context: MakeContext) -> None:
    """The phone says 408 by itself, as if somebody had (RFC 3261 section 17.1.2.2)."""
    context = make_context("KEEPALIVE")
    Cast(context).responded(
        "OPTIONS", *send_options(_silence(OPTIONS), "sip:sbc.example"), (200, 408)
    )
    finding = context.evidence.findings[-1]
    assert finding.verdict is Verdict.FAILED
    assert finding.actual == "no final response; the phone itself ended it as 408 Request Timeout"


def test_who_answered_nobody_can_say_where_the_phones_log_lacks_the_request() -> None:
    with pytest.raises(BrokenError, match="its own OPTIONS is not in its log"):
        send_options(_silence(), "sip:sbc.example")
