"""What the far end has said of a REFER, and what pjsua makes of it when nobody has said anything."""

from __future__ import annotations

import pytest

from harness.calls.events import Direction
from harness.phone.child.sip_log import read_text
from harness.phone.child.transfers import Outcomes


def after(*messages: tuple[Direction, str, str, str]) -> Outcomes:
    """What is known when messages have passed: direction, start line, method, body."""
    outcomes = Outcomes()
    for direction, start, method, body in messages:
        outcomes.saw(read_text(f"{start}\r\nCSeq: 2 {method}\r\n\r\n{body}", direction=direction))
    return outcomes


@pytest.mark.parametrize("code", [100, 200, 408, 500])
def test_nobody_has_said_what_pjsua_says_by_itself(code: int) -> None:
    assert not Outcomes().include(code)
    assert not after(("received", "SIP/2.0 202 Accepted", "REFER", "")).include(code)
    assert not after(("received", "SIP/2.0 200 OK", "REFER", "")).include(code), "accepted, not done"
    assert not after(("sent", "NOTIFY sip:a SIP/2.0", "NOTIFY", f"SIP/2.0 {code} x")).include(code)
    assert not after(("received", f"SIP/2.0 {code} x", "NOTIFY", "")).include(code)
    assert not after(("received", f"SIP/2.0 {code} x", "BYE", "")).include(code)


@pytest.mark.parametrize(
    "fragment", ["SIP/2.0 {} x\r\n", "sip/2.0 {}", "\r\nSIP/2.0  {} x\r\nReason: Q.850;cause=21\r\n"]
)
@pytest.mark.parametrize("code", [100, 200, 603])
def test_a_notify_says_how_far_it_is(fragment: str, code: int) -> None:
    assert after(("received", "NOTIFY sip:a SIP/2.0", "NOTIFY", fragment.format(code))).include(code)


@pytest.mark.parametrize(
    ("passed", "has", "was"),
    [
        (("sent", "REFER sip:a@192.0.2.7 SIP/2.0", "REFER", ""), True, False),
        (("received", "REFER sip:a@192.0.2.7 SIP/2.0", "REFER", ""), False, False),
        (("received", "SIP/2.0 202 Accepted", "REFER", ""), False, False),
        (("sent", "SIP/2.0 202 Accepted", "REFER", ""), False, True),
        (("sent", "SIP/2.0 603 Decline", "REFER", ""), False, False),
        (("sent", "NOTIFY sip:a@192.0.2.7 SIP/2.0", "NOTIFY", ""), False, False),
    ],
)
def test_who_has_asked_for_a_transfer(passed: tuple[Direction, str, str, str], has: bool, was: bool) -> None:
    for outcomes in (after(passed), after(passed, ("sent", "BYE sip:b@192.0.2.9 SIP/2.0", "BYE", ""))):
        assert (outcomes.has_referred, outcomes.was_referred) == (has, was)


@pytest.mark.parametrize("code", [405, 500, 603])
def test_a_refusal_is_an_outcome(code: int) -> None:
    assert after(("received", f"SIP/2.0 {code} x", "REFER", "")).include(code)
