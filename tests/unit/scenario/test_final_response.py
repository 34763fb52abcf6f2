"""What a call ended with: by the wire, not by what the phone makes of it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, cast

import pytest

from harness.calls.events import CallState, Event
from harness.phone.waiter import never_came
from harness.scenario.call import Call
from tests.unit.phone_events import sip_message

INVITE = "INVITE sip:+13125550100@carrier.example SIP/2.0"


class Leg:
    """A call that is over, with all that it sent and got."""

    id, successor = "caller.1", None

    def __init__(self, code: int, *lines: str) -> None:
        number = itertools.count(1)
        last = 0
        self.messages = []
        for line in lines:
            last = next(number) if line == INVITE else last
            method = "CANCEL" if line == "200 OK" else "INVITE"
            start = line if line == INVITE else f"SIP/2.0 {line}"
            direction = "sent" if line == INVITE else "received"
            self.messages.append(sip_message(direction, f"{start}\r\nTo: <sip:a@b>\r\nCSeq: {last} {method}\r\n\r\n"))
        over = CallState(
            at=2.0, state="disconnected", code=code, reason="Request Terminated", phone="caller", leg=self.id
        )
        self.events: list[Event] = [*self.messages, over]

    def wait(self, goal: str, predicate: Callable[[Event], bool], within: float, **_: Any) -> Event:
        for event in self.events:
            if predicate(event):
                return event
        raise never_came(goal, within, self.id, "it never came", "")


def ended(code: int, *lines: str) -> tuple[int, str]:
    """What a call is said to have ended with that the phone itself ended with that code."""
    return Call(cast("Any", None), cast("Any", Leg(code, *lines)), "caller").final_response(1.0)


@pytest.mark.parametrize(
    ("code", "lines", "final"),
    [
        (487, ("180 Ringing", "200 OK", "487 Request Terminated"), (487, "Request Terminated")),
        (486, ("407 Proxy Authentication Required", INVITE, "486 Busy Here"), (486, "Busy Here")),
        (487, ("302 Moved Temporarily",), (302, "Moved Temporarily")),  # whatever the phone calls it
        (407, ("407 Proxy Authentication Required",), (407, "Proxy Authentication Required")),
        (
            487,
            ("180 Ringing", "200 Answered", "200 OK"),
            (200, "Answered"),
        ),  # it crossed the CANCEL (RFC 3261 section 9.1)
    ],
)
def test_the_wire_s_word_counts(code: int, lines: tuple[str, ...], final: tuple[int, str]) -> None:
    assert ended(code, INVITE, *lines) == final


def test_what_the_phone_says_by_itself_is_no_response() -> None:
    code, reason = ended(487, INVITE, "407 Proxy Authentication Required", INVITE, "180 Ringing", "200 OK")
    assert code == 0
    assert reason == "no final response; the phone itself ended it as 487 Request Terminated"
