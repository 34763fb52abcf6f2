"""Transfers: blind and attended, asked for and followed, refused and failed."""

from __future__ import annotations

import itertools
from urllib.parse import quote

import pytest

from harness.case.events import LegStarted, TransferProgress
from harness.phone import Answer, NeverCame, Phone, Reject
from harness.sip.message import Message
from tests.phones import Desk, connect, event_of, hears, once, outcome, settle, uri_of
from tests.stranger import Stranger, talking


@pytest.fixture
def alice(lease: Desk) -> Phone:
    """Follows a REFER: it may have a second call."""
    return lease("alice", max_calls=2)


@pytest.fixture
def bob(lease: Desk) -> Phone:
    """Asks for transfers."""
    return lease("bob", max_calls=2)


@pytest.fixture
def carol(lease: Desk) -> Phone:
    """Whom callers are transferred to."""
    phone = lease("carol", max_calls=2)
    phone.policy = Answer()
    return phone


def test_a_blind_transfer_is_followed_and_the_first_call_can_end(
    alice: Phone, bob: Phone, carol: Phone
) -> None:
    out, back = connect(alice, bob)
    assert (out.successor, out.predecessor) == (None, None)
    back.transfer(f"{uri_of(carol)}?X-Routing=billing", headers=[("X-Reason", "test")])
    landed = carol.expect_call(10)
    assert outcome(back) == 200
    settle(alice)
    following = out.successor
    assert following is not None
    assert following.predecessor is out
    assert [event.replaces for event in following.events if isinstance(event, LegStarted)] == [
        out.id
    ]
    hears(following, landed)
    hears(landed, following)
    assert "X-Routing: billing\r\n" in landed.invite.text
    assert any(m.text.startswith("REFER ") and "X-Reason: test" in m.text for m in out.messages)
    back.hangup()
    out.wait_state("disconnected", 10)
    assert following.state == "confirmed"


def test_over_a_proxy_a_target_of_another_transport_is_followed(
    bob: Phone, carol: Phone, lease: Desk
) -> None:
    """The proxy is the next hop, whatever the Request-URI asks for (RFC 3261 section 8.1.2)."""
    dora = lease("dora", max_calls=2, proxy=carol.address)
    out, back = connect(bob, dora)
    out.transfer(f"{uri_of(carol)};transport=tcp")
    landed = carol.expect_call(10)
    assert "transport=tcp" in landed.invite.text.partition("\r\n")[0]
    landed.wait_state("confirmed", 10)
    assert dora.declined is None
    assert back.successor is not None


def test_a_transfer_to_someone_who_refuses_reports_it_and_leaves_the_call_up(
    alice: Phone, bob: Phone, carol: Phone
) -> None:
    carol.policy = Reject(486)
    out, back = connect(alice, bob)
    back.transfer(uri_of(carol))
    assert outcome(back) == 486
    hears(out, back, since=back.events[-1].at)
    assert out.successor is not None
    assert out.successor.state == "disconnected"


def test_a_transfer_with_replaces_joins_the_two_others(
    alice: Phone, bob: Phone, carol: Phone
) -> None:
    """RFC 3891: the transferred call takes the place of the one that the transferor has with the
    target.
    """
    bob.policy = Answer()
    out, back = connect(alice, bob)
    asking = bob.dial(uri_of(carol))
    asked = carol.expect_call(10)
    asking.wait_state("confirmed", 10)
    (answer,) = [
        Message.parse(m.text) for m in once(asking.messages) if m.text.startswith("SIP/2.0 200")
    ]
    replaced = f"{answer.call_id};to-tag={answer.to.tag};from-tag={answer.from_.tag}"
    back.transfer(f"{uri_of(carol)}?Replaces={quote(replaced, safe='')}")
    assert outcome(back) == 200
    settle(alice, carol)
    assert out.successor is not None
    assert asked.successor is not None
    hears(out.successor, asked.successor)
    hears(asked.successor, out.successor)
    asked.wait_state("disconnected", 10)
    assert "Replaces:" in asked.successor.invite.text


def test_of_several_transfers_the_successor_is_the_call_that_is_up(
    alice: Phone, lease: Desk, peer: Stranger, bob: Phone
) -> None:
    """An AI that asks twice for the same agent, who has the call by then."""
    agent = lease("agent")
    phone = lease("transferee", max_calls=3)
    leg, call = talking(phone, peer)
    for number, target in ((2, uri_of(agent)), (3, f"sip:7001@{peer.address}")):
        assert (
            peer.within(phone, "REFER", number, call, headers=(f"Refer-To: <{target}>",)).status
            == 202
        )
        if number == 2:
            agent.expect_call(10)
    peer.refuses("486 Busy Here")
    settle(phone)
    _, first, second = phone.legs
    second.wait_state("disconnected", 10)
    first.wait_state("confirmed", 10)
    assert leg.successor is first


# What the far end says of it


def test_the_refer_and_its_target_are_written_as_they_were_asked_for(
    lease: Desk, peer: Stranger
) -> None:
    """In brackets (RFC 8217): else what follows a semicolon or question mark is the header's, and
    not the address's.
    """
    phone = lease("transferor")
    leg, call = talking(phone, peer)
    target = f"sip:7001@{peer.address};transport=udp?X-Routing=billing"
    leg.transfer(target)
    refer = peer.request("REFER")
    assert refer.get("Refer-To") == f"<{target}>"
    peer.respond(refer, 603)
    assert outcome(leg) == 603
    assert leg.state == "confirmed"
    peer.hangs_up(phone, call)


def test_each_notify_is_a_step_of_the_transfer(lease: Desk, peer: Stranger) -> None:
    phone = lease("transferor")
    leg, call = talking(phone, peer)
    leg.transfer(f"sip:7001@{peer.address}")
    peer.is_referred(phone, call, ["100 Trying…", "180 Ringing…", "200 OK"])
    assert outcome(leg) == 200
    steps = [
        (event.code, event.final) for event in leg.events if isinstance(event, TransferProgress)
    ]
    assert [step for step, _ in itertools.groupby(steps)] == [
        (100, False),
        (180, False),
        (200, True),
    ]
    peer.hangs_up(phone, call)


def test_a_transfer_without_notify_has_no_outcome(lease: Desk, peer: Stranger) -> None:
    """An accepted REFER (202) alone is no success."""
    phone = lease("transferor")
    leg, call = talking(phone, peer)
    leg.transfer(f"sip:7001@{peer.address}")
    peer.respond(peer.request("REFER"), 202)
    assert peer.within(phone, "OPTIONS", 2, call).status == 200  # the phone has read the 202
    with pytest.raises(NeverCame):
        event_of(leg, TransferProgress, within=0.1, final=True)
    peer.hangs_up(phone, call)
