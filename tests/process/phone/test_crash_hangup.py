"""A call whose phone's process is killed: the parent ends it, in every state and over every
transport.
"""

from __future__ import annotations

import os
import signal

import pytest

from harness.case.events import SipMessage
from harness.phone.phone import Phone
from tests.process.phone.conftest import Authority, Desk, connect, hears, uri_of

OUTSIDE = "203.0.113.5"  # RFC 5737: nobody here can bind to it


def strangers(
    lease: Desk, authority: Authority, transport: str, **alices: object
) -> tuple[Phone, Phone]:
    """Two phones in processes of their own."""

    alice, bob = (
        lease(name, max_calls=lease.process_holds, **authority.settings(transport), **more)
        for name, more in (("alice", alices), ("bob", {}))
    )
    assert alice.process is not bob.process
    return alice, bob


@pytest.mark.parametrize(("transport", "caller_dies"), [("tcp", True), ("tls", False)])
def test_a_call_is_ended_for_a_phone_that_was_killed(
    lease: Desk, authority: Authority, transport: str, caller_dies: bool
) -> None:
    alice, bob = strangers(lease, authority, transport)
    out, back = connect(alice, bob)
    hears(out, back)
    dead, left = (out, back) if caller_dies else (back, out)
    os.kill(dead.phone.process.pid, signal.SIGKILL)
    left.wait_state("disconnected", 10)
    (alice if caller_dies else bob).release()
    bye, answer = dead.messages[-2:]
    assert bye.text.startswith("BYE ")
    assert answer.text.startswith("SIP/2.0 200")


@pytest.mark.parametrize(
    ("transport", "public_address"),
    [("tls", None), ("udp", OUTSIDE), ("tcp", OUTSIDE)],
)
def test_ringing_stops_for_a_caller_that_was_killed(
    lease: Desk, authority: Authority, transport: str, public_address: str | None
) -> None:
    """Also for a phone that names a router's address: CANCEL is sent from this machine's address."""
    alice, bob = strangers(lease, authority, transport, public_address=public_address)
    out = alice.dial(uri_of(bob))
    back = bob.expect_call(10, answer=None)
    out.wait_state("early", 10)
    os.kill(alice.process.pid, signal.SIGKILL)
    assert back.wait_state("disconnected", 10).code == 487
    alice.release()
    if (
        transport == "udp"
    ):  # else the 487 goes where the Via says, as the INVITE's connection is gone (RFC 3261 section 18.2.2)
        assert out.messages[-1].text.startswith("ACK ")


def test_an_answer_that_crosses_the_cancel_is_hung_up(lease: Desk, authority: Authority) -> None:
    alice, bob = strangers(lease, authority, "udp")
    out = alice.dial(uri_of(bob))
    back = bob.expect_call(10, answer=None)
    out.wait_state("early", 10)
    # Nobody reads the answer: the caller's process is frozen first, and killed when the answer
    # waits in its socket.
    os.kill(alice.process.pid, signal.SIGSTOP)
    back.answer()
    back.wait("200", lambda e: isinstance(e, SipMessage) and e.text.startswith("SIP/2.0 200"), 10)
    os.kill(alice.process.pid, signal.SIGKILL)
    back.wait_state("disconnected", 10)
    assert any(m.text.startswith("BYE ") for m in back.messages)
