"""Waits: a goal, a deadline, an end at once when nothing can come any more, and a log of what came
instead.
"""

from __future__ import annotations

import threading
import time

import pytest

from harness.case.events import CallState, Event, MarkHeard, Recorded, SipMessage
from harness.case.verdict import ExpectationError, Verdict
from harness.errors import PhoneParseError
from harness.phone import NeverCame, Reject
from tests.loopback import fresh_address
from tests.phones import Desk, connect, event_of, uri_of
from tests.stranger import Stranger, talking


def never(event: Event) -> bool:
    return False


def test_a_timeout_names_goal_and_deadline_and_ends_with_the_legs_log(lease: Desk) -> None:
    out, _ = connect(lease("alice"), lease("bob"))
    with pytest.raises(NeverCame) as caught:
        out.wait("a sign", never, within=0.01)
    assert isinstance(caught.value, ExpectationError), "the case fails"
    finding = caught.value.finding
    assert (finding.verdict, finding.subject) == (Verdict.FAILED, "alice.1")
    assert finding.expected == "a sign within 0.01 s"
    assert "it never came\n" in str(caught.value)
    assert out.log() in str(caught.value)
    assert "INVITE sip:" in out.log()


def test_a_wait_returns_what_has_come_already_unless_since_says_otherwise(lease: Desk) -> None:
    out, _ = connect(lease("alice"), lease("bob"))
    confirmed = out.wait_state("confirmed", within=0.0)
    assert isinstance(confirmed, CallState)
    with pytest.raises(NeverCame, match="it never came"):
        out.wait("another", lambda e: isinstance(e, CallState), 0.01, since=time.monotonic())


def test_a_wait_ends_with_the_call_unless_the_event_outlives_it(lease: Desk) -> None:
    out, back = connect(lease("alice"), lease("bob"))
    back.hangup()
    with pytest.raises(NeverCame, match="the call has ended") as caught:
        event_of(out, MarkHeard, within=60, mark=255)
    assert "BYE" in str(caught.value)
    out.wait("its recording", lambda e: isinstance(e, Recorded), 10, outlives_call=True)


def test_a_wait_does_not_last_until_the_bye_is_answered(lease: Desk, peer: Stranger) -> None:
    leg, _ = talking(lease("callee"), peer)
    leg.hangup()
    with pytest.raises(NeverCame, match="the call has ended"):
        leg.wait("a sign", never, 60)
    assert not leg.closed
    peer.respond(peer.request("BYE"), 200)
    leg.wait_closed(10)


def test_a_wait_says_how_the_call_ended_instead(lease: Desk) -> None:
    bob = lease("bob")
    bob.policy = Reject(486)
    with pytest.raises(NeverCame, match="the call has ended with 486"):
        lease("alice").dial(uri_of(bob)).wait_state("confirmed", 60)
    carol = lease("carol", transport="tcp")
    with pytest.raises(NeverCame, match="the phone itself ended the call: "):
        carol.dial(f"sip:nobody@{fresh_address()}:9;transport=tcp").wait_state("confirmed", 60)


def test_a_call_that_does_not_come_is_named(lease: Desk) -> None:
    bob = lease("bob")
    with pytest.raises(NeverCame, match=r"a call at bob within 0\.1 s"):
        bob.expect_call(0.1)
    with pytest.raises(NeverCame, match=r"a keep-alive within 0\.1 s"):
        bob.wait("a keep-alive", never, 0.1)


def test_several_threads_wait_at_once(lease: Desk) -> None:
    alice, bob = lease("alice"), lease("bob")
    out = alice.dial(uri_of(bob))
    came: list[CallState] = []
    waiting = [
        threading.Thread(target=lambda: came.append(out.wait_state("confirmed", 10)))
        for _ in range(3)
    ]
    for thread in waiting:
        thread.start()
    bob.expect_call(10)
    for thread in waiting:
        thread.join()
    assert len(came) == 3
    assert len(set(map(id, came))) == 1


@pytest.mark.parametrize(
    ("challenge", "error", "words"),
    [
        # any scheme is legal (RFC 3261 section 25.1, other-challenge): the phone's stack is at
        # fault
        ('NTLM realm="x", targetname="y", version=4', PhoneParseError, "though it is valid"),
        ('Basic realm="x"', NeverCame, "asks for Basic, which SIP forbids"),
        (
            'Digest realm="x", nonce="1", Digest realm="y", nonce="2"',
            NeverCame,
            "several challenges share one",
        ),
    ],
    ids=["legal", "forbidden", "malformed"],
)
def test_a_message_that_the_stack_could_not_read_ends_the_wait_by_its_fault(
    lease: Desk, peer: Stranger, challenge: str, error: type[Exception], words: str
) -> None:
    leg = lease("caller").dial(f"sip:7001@{peer.address}")
    peer.refuses("407 Proxy Authentication Required", ("Proxy-Authenticate", challenge))
    unread = leg.wait(
        "what cannot be read", lambda e: isinstance(e, SipMessage) and bool(e.unread), within=10
    )
    with pytest.raises(error, match=words):
        leg.wait_state("confirmed", 0.1)
    assert unread not in leg.messages


def test_an_unreadable_message_within_a_call_that_goes_on_excuses_nothing(
    lease: Desk, peer: Stranger
) -> None:
    phone = lease("callee")
    leg, call = talking(phone, peer)
    peer.says(
        phone, "OPTIONS", 2, call, headers=('Proxy-Authorization: NTLM realm="x", version=4',)
    )
    leg.wait("the message", lambda e: isinstance(e, SipMessage) and bool(e.unread), within=10)
    with pytest.raises(NeverCame, match="came within the call; the phone's stack cannot parse it"):
        leg.wait("a sign", never, within=0.1)
    peer.hangs_up(phone, call)
