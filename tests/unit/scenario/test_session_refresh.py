"""When a session has to be refreshed, by whom, and where a case cannot wait for it (RFC 4028)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from harness.calls.events import CallState, Event, SipMessage
from harness.calls.verdict import ExpectationError, Finding, Verdict
from harness.deployment import Limits
from harness.phone.waiter import never_came
from harness.scenario.call import Call
from harness.scenario.expect import Expect
from tests.unit.phone_events import sip_message
from tests.unit.scenario.conftest import MakeContext

HEAD = (
    "Via: SIP/2.0/UDP b.example;branch=z9hG4bK{1}\r\nFrom: <sip:a@b.example>;tag=1\r\nTo: <sip:b@b.example>;tag=2\r\n"
)
REST = "Call-ID: 1@b.example\r\nCSeq: {1} INVITE\r\nSession-Expires: {0};refresher=uas\r\n\r\n"


class Leg:
    """A call that the platform refreshes ``after`` so many seconds, by a clock that nobody waits for."""

    id, state, successor = "caller.1", "confirmed", None

    def __init__(self, interval: int, after: float) -> None:
        self._answered = time.monotonic()
        self.invite = self._message("sent", 0.0, "INVITE sip:b@b.example SIP/2.0", interval, 1)
        answer = self._message("received", 0.0, "SIP/2.0 200 OK", interval, 1)
        asked = self._message("received", after, "INVITE sip:a@b.example SIP/2.0", interval, 7)
        self._after = [asked, self._message("sent", after, "SIP/2.0 200 OK", interval, 7)]
        up = CallState(at=self._answered, phone="caller", leg=self.id, state="confirmed", code=200, reason="OK")
        self.events: list[Event] = [self.invite, answer, up]

    def _message(self, direction: Any, after: float, start: str, interval: int, cseq: int) -> SipMessage:
        return sip_message(direction, f"{start}\r\n" + (HEAD + REST).format(interval, cseq), at=self._answered + after)

    @property
    def messages(self) -> list[SipMessage]:
        return [event for event in self.events if isinstance(event, SipMessage)]

    def wait(self, goal: str, tells: Callable[[Event], bool], within: float, since: float) -> Event:
        asked, answer = self._after
        if answer.at <= since + within:
            self.events += [asked, answer]
            if tells(answer):
                return answer
        raise never_came(goal, within, self.id, "nothing", "")


def refreshed(make_context: MakeContext, interval: int, after: float, most_s: float = 120.0) -> Finding:
    context = make_context("SESSIONTIMER", "stand-in", limits=Limits(seconds_per_call=most_s))
    leg: Any = Leg(interval, after)
    try:
        Expect(context, Call(context, leg, "caller")).session_is_refreshed()
    except ExpectationError as error:
        return error.finding
    return context.evidence.findings[-1]


@pytest.mark.parametrize(
    ("interval", "after", "verdict"),
    [
        (90, 45.0, Verdict.PASSED),
        (90, 51.0, Verdict.PASSED),  # half is recommended, and not asked for (section 10)
        (90, 59.0, Verdict.PASSED),
        (90, 67.0, Verdict.FAILED),  # a side that waits for it has sent its BYE
        (180, 140.0, Verdict.PASSED),
        (180, 155.0, Verdict.FAILED),
    ],
)
def test_a_session_is_refreshed_before_it_is_given_up(
    make_context: MakeContext, interval: int, after: float, verdict: Verdict
) -> None:
    assert refreshed(make_context, interval, after, most_s=600.0).verdict is verdict


def test_no_call_lasts_longer_than_the_file_allows(make_context: MakeContext) -> None:
    """A Min-SE of half an hour is legal, and common."""
    finding = refreshed(make_context, 1800, 900.0)
    assert finding.verdict is Verdict.NOT_OBSERVABLE
    assert finding.actual.endswith("is 900 s, and a call may last 120 s (limits.seconds_per_call)")
    assert refreshed(make_context, 1800, 900.0, most_s=1900.0).verdict is Verdict.PASSED
