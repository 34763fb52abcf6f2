"""When the far end knows that a call is over, by the messages that passed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.phone.child.leg import Ending
from harness.phone.child.messages import WireMessage, read_text
from harness.phone.protocol import FAREWELL_SECONDS

Step = tuple[str, str]


def passed(ending: Ending, *steps: Step) -> Ending:
    """``steps`` are directions and start lines; a response is to the method named behind it."""
    for direction, line in steps:
        ending.saw(message(direction, line))
    return ending


def message(direction: str, line: str) -> WireMessage:
    start, _, method = line.partition(" to ") if line.startswith("SIP/2.0") else (line, "", line.split(" ")[0])
    text = f"{start}\r\nVia: SIP/2.0/UDP 192.0.2.1\r\nCall-ID: a\r\nCSeq: 1 {method}\r\n\r\n"
    return read_text(text, direction="sent" if direction == "sent" else "received")


INVITE, ACK, BYE = (f"{method} sip:b@example.com SIP/2.0" for method in ("INVITE", "ACK", "BYE"))


@pytest.mark.parametrize("code", [401, 407, 422])
def test_what_refuses_one_attempt_does_not_refuse_the_next(code: int) -> None:
    ending = passed(Ending("outgoing"), ("sent", INVITE), ("received", f"SIP/2.0 {code} No to INVITE"))
    assert ending.settled
    assert not passed(ending, ("sent", INVITE)).settled


@given(code=st.integers(300, 699), hung_up=st.booleans())
def test_our_refusal_has_to_be_acknowledged(code: int, hung_up: bool) -> None:
    ending = passed(Ending("incoming"), ("received", INVITE), ("sent", f"SIP/2.0 {code} No to INVITE"))
    if hung_up:
        ending.hung_up()
    ending.begin(10.0)
    assert ending.began
    assert not ending.settled
    assert passed(ending, ("received", ACK)).settled


def test_the_answer_to_our_bye_ends_an_answered_call() -> None:
    ending = passed(Ending("outgoing"), ("sent", INVITE), ("received", "SIP/2.0 200 OK to INVITE"), ("sent", ACK))
    ending.hung_up()
    ending.begin(10.0)
    passed(ending, ("sent", BYE))
    assert not ending.settled
    assert passed(ending, ("received", "SIP/2.0 200 OK to BYE")).settled


def test_what_the_far_end_ended_it_knows() -> None:
    ending = passed(Ending("outgoing"), ("sent", INVITE), ("received", "SIP/2.0 200 OK to INVITE"))
    ending.begin(10.0)
    assert ending.settled


@given(now=st.floats(0, 1e6), later=st.floats(0, 60))
def test_nobody_is_waited_for_longer_than_for_a_farewell(now: float, later: float) -> None:
    ending = Ending("outgoing")
    ending.begin(now)
    assert ending.gives_up(now + later) == (now + later >= now + FAREWELL_SECONDS)
