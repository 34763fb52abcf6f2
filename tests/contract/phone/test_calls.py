"""Calls: dialled and taken, rung, answered, refused and hung up, with their messages, states and
rules.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.case.events import CallState
from harness.errors import PhoneMisuseError, ResourceError
from harness.phone import Answer, Early, Leg, NeverCame, Phone, Reject, Ring, Silence, Wav
from tests.phones import Desk, connect, hears, once, settle, states, uri_of


@pytest.fixture
def alice(lease: Desk) -> Phone:
    return lease("alice", max_calls=2)


@pytest.fixture
def bob(lease: Desk) -> Phone:
    return lease("bob")


def ringing(alice: Phone, bob: Phone) -> tuple[Leg, Leg]:
    """A call that rings."""
    out = alice.dial(uri_of(bob))
    back = bob.expect_call(10, answer=None)
    out.wait_state("early", 10)
    return out, back


def ended(leg: Leg) -> CallState:
    return leg.wait_state("disconnected", 10)


def answer_codes(leg: Leg) -> list[str]:
    """The statuses of all responses of a leg."""
    return [
        message.text.split(" ")[1]
        for message in once(leg.messages)
        if message.text.startswith("SIP/2.0 ")
    ]


# What a leg says of its call


def test_dial_returns_at_once_and_the_leg_knows_its_call(
    lease: Desk, alice: Phone, bob: Phone
) -> None:
    out, back = connect(alice, bob)
    assert (out.id, out.direction, out.phone) == ("alice.1", "outgoing", alice)
    assert (back.id, back.direction, back.phone) == ("bob.1", "incoming", bob)
    assert out.mark != back.mark
    assert out.remote_uri == uri_of(bob)
    assert alice.config.address_of_record in back.remote_uri
    assert alice.legs == [out]
    assert alice.incoming == []
    assert bob.incoming == [back]
    assert connect(alice, lease("carol"))[0].id == "alice.2"


@pytest.mark.parametrize("who", ["caller", "callee"])
def test_a_hang_up_ends_both_ends(alice: Phone, bob: Phone, who: str) -> None:
    out, back = connect(alice, bob)
    (out if who == "caller" else back).hangup()
    for leg in (out, back):
        ended(leg)
        leg.wait_closed(10)
        assert leg.closed
    assert [state for state, _ in states(out)] == [
        "calling",
        "early",
        "connecting",
        "confirmed",
        "disconnected",
    ]
    assert states(back)[0][0] == "incoming"
    assert (out.state, back.state) == ("disconnected", "disconnected")


def test_every_message_is_an_event_of_its_leg(alice: Phone, bob: Phone) -> None:
    out, back = connect(alice, bob)
    out.hangup()
    for leg, phone, (request, response) in (
        (out, alice, ("sent", "received")),
        (back, bob, ("received", "sent")),
    ):
        leg.wait_closed(10)
        starts = [
            (m.direction, m.text.split(" ")[0 if m.text[:3] != "SIP" else 1])
            for m in once(leg.messages)
        ]
        assert starts == [
            (request, "INVITE"),
            (response, "100"),
            (response, "180"),
            (response, "200"),
            (request, "ACK"),
            (request, "BYE"),
            (response, "200"),
        ]
        assert {(m.local, m.transport) for m in leg.messages} == {(phone.address, "udp")}
    assert out.invite.text == back.invite.text
    assert out.invite.text.startswith("INVITE ")
    assert f"Contact: <sip:{alice.config.user}@{alice.address}" in out.invite.text
    assert f"c=IN IP4 {alice.config.bind_address}" in out.invite.text


def test_headers_go_both_ways(alice: Phone, bob: Phone) -> None:
    out = alice.dial(uri_of(bob), headers=[("X-EI", "S.abc;E.crm456;")])
    back = bob.expect_call(10, headers=[("X-CI", "call-1")])
    assert "X-EI: S.abc;E.crm456;\r\n" in back.invite.text
    out.wait_state("confirmed", 10)
    assert any(
        "X-CI: call-1\r\n" in message.text
        for message in out.messages
        if message.direction == "received"
    )


def test_a_number_is_dialled_in_the_domain_over_the_proxy(lease: Desk, bob: Phone) -> None:
    alice = lease("alice", proxy=bob.address)
    out = alice.dial("+12065550123")
    back = bob.expect_call(10)
    out.wait_state("confirmed", 10)
    assert back.invite.text.startswith("INVITE sip:+12065550123@example.com SIP/2.0\r\n")
    assert "Route:" not in back.invite.text


def test_another_identity_can_be_shown(alice: Phone, bob: Phone) -> None:
    alice.dial(uri_of(bob), identity="+12065550150")
    assert "<sip:+12065550150@example.com>" in bob.expect_call(10, answer=None).invite.text


def test_privacy_hides_the_caller_and_asserts_the_number(lease: Desk, bob: Phone) -> None:
    alice = lease("alice", privacy=True)
    _, back = connect(alice, bob)
    assert 'From: "Anonymous" <sip:anonymous@anonymous.invalid>' in back.invite.text
    assert "Privacy: id\r\n" in back.invite.text
    assert f"P-Asserted-Identity: <{alice.config.address_of_record}>\r\n" in back.invite.text


def test_a_public_address_is_named_in_contact_and_sdp(lease: Desk, bob: Phone) -> None:
    alice = lease("alice", public_address="203.0.113.5")  # RFC 5737
    alice.dial(uri_of(bob))
    shown = bob.expect_call(10, answer=None).invite.text
    assert "c=IN IP4 203.0.113.5" in shown
    assert f"Contact: <sip:{alice.config.user}@203.0.113.5:" in shown


# Before the answer


def test_a_phone_rings_unless_it_is_told_otherwise(alice: Phone, bob: Phone) -> None:
    assert bob.policy == Ring()
    out, back = ringing(alice, bob)
    assert answer_codes(out) == ["100", "180"]
    back.answer()
    out.wait_state("confirmed", 10)
    back.wait_state("early", 0)


def test_next_call_leaves_the_call_as_it_is(alice: Phone, bob: Phone) -> None:
    alice.dial(uri_of(bob))
    assert bob.next_call(10).state in ("incoming", "early")


def test_early_media_is_heard_before_the_answer(alice: Phone, bob: Phone) -> None:
    bob.policy = Early()
    out = alice.dial(uri_of(bob))
    back = bob.expect_call(10, answer=None)
    hears(out, back)
    assert out.state == "early"
    back.answer()
    out.wait_state("confirmed", 10)


def test_a_phone_answers_by_itself_after_a_while(alice: Phone, bob: Phone) -> None:
    bob.policy = Answer(after=0.3, headers=(("X-CI", "call-1"),))
    out = alice.dial(uri_of(bob))
    back = bob.expect_call(10)
    out.wait_state("confirmed", 10)
    (answer,) = [m for m in once(back.messages) if m.text.startswith("SIP/2.0 200")]
    assert answer.at - back.invite.at >= 0.28
    assert "X-CI: call-1\r\n" in answer.text


def test_reliable_provisional_responses_are_acknowledged(lease: Desk) -> None:
    alice, bob = (
        lease("alice", reliable_provisional="optional"),
        lease("bob", reliable_provisional="required"),
    )
    out, back = connect(alice, bob)
    assert any(m.text.startswith("PRACK ") for m in out.messages)
    assert "Require: 100rel" in next(
        m.text for m in back.messages if m.text.startswith("SIP/2.0 180")
    )


def test_session_timers_are_offered_as_configured(lease: Desk) -> None:
    """RFC 4028: 422 names the least interval bob takes, and alice offers that."""
    alice, bob = (
        lease("alice", session_timer="required", session_expires=120),
        lease("bob", min_se=200),
    )
    out, back = connect(alice, bob)
    assert any(m.text.startswith("SIP/2.0 422") for m in out.messages)
    offers = [m.text for m in once(out.messages) if m.text.startswith("INVITE ")]
    assert "Session-Expires: 120" in offers[0]
    assert "Session-Expires: 200" in offers[1]
    assert back.state == "confirmed"


# Refusals, cancellations and limits


def test_a_refusal_by_policy_reaches_the_caller_and_a_policy_can_be_changed(
    alice: Phone, bob: Phone
) -> None:
    bob.policy = Reject(603, "No")
    refused = ended(alice.dial(uri_of(bob)))
    assert (refused.code, refused.reason) == (603, "No")
    bob.policy = Answer()
    alice.dial(uri_of(bob)).wait_state("confirmed", 10)


def test_a_refusal_by_hand_reaches_the_caller(alice: Phone, bob: Phone) -> None:
    out = alice.dial(uri_of(bob))
    bob.expect_call(10, answer=None).reject(404, "Nobody", headers=[("X-Why", "test")])
    refused = ended(out)
    assert (refused.code, refused.reason) == (404, "Nobody")
    assert any("X-Why: test\r\n" in message.text for message in out.messages)


def test_a_hang_up_while_it_rings_refuses_the_call(alice: Phone, bob: Phone) -> None:
    out, back = ringing(alice, bob)
    back.hangup(486)
    assert ended(out).code == 486


@pytest.mark.parametrize("how", [Leg.cancel, Leg.hangup])
def test_cancel_stops_the_ringing(alice: Phone, bob: Phone, how: Callable[[Leg], None]) -> None:
    out, back = ringing(alice, bob)
    how(out)
    assert ended(back).code == 487
    out.wait_closed()
    assert sorted(answer_codes(out)[-2:]) == ["200", "487"]


def test_a_call_beyond_the_callers_own_limit_is_not_dialled(alice: Phone, lease: Desk) -> None:
    bob = lease("bob", max_calls=4)
    bob.policy = Answer()
    for _ in range(2):
        alice.dial(uri_of(bob)).wait_state("confirmed", 10)
    with pytest.raises(ResourceError, match="has 2 calls up; its limit is 2"):
        alice.dial(uri_of(bob))
    settle(bob)
    for out, back in zip(alice.legs, bob.incoming, strict=True):
        hears(out, back)


def test_a_call_beyond_the_callees_limit_is_refused_as_busy(alice: Phone, bob: Phone) -> None:
    bob.policy = Answer()
    alice.dial(uri_of(bob)).wait_state("confirmed", 10)
    assert ended(alice.dial(uri_of(bob))).code == 486
    settle(bob)
    assert len(bob.incoming) == 1


# Commands at the wrong moment


def test_misuse_is_an_error_and_ends_neither_call_nor_child(alice: Phone, bob: Phone) -> None:
    out, back = ringing(alice, bob)
    for wrong in (
        out.answer,
        out.hold,
        back.hold,
        lambda: back.transfer(uri_of(alice)),
        lambda: out.send_digits("1"),
    ):
        with pytest.raises(PhoneMisuseError):
            wrong()
    back.answer()
    back.wait_state("confirmed", 10)
    for wrong in (back.answer, back.cancel):
        with pytest.raises(PhoneMisuseError):
            wrong()
    with pytest.raises(PhoneMisuseError):
        alice.dial("not a uri: <>")
    with pytest.raises(PhoneMisuseError, match="cannot be played"):
        alice.dial(uri_of(bob), play=Wav("/nowhere.wav"))
    settle(alice, bob)
    assert (out.state, back.state) == ("confirmed", "confirmed")


def test_a_command_to_a_call_that_we_ended_is_misuse(alice: Phone, bob: Phone) -> None:
    out, back = connect(alice, bob)
    out.hangup()
    out.hangup()  # harmless
    ended(back)
    for wrong in (out.answer, out.resume, lambda: out.play(Silence()), lambda: out.bridge(out)):
        with pytest.raises(PhoneMisuseError):
            wrong()


def test_a_command_to_a_call_that_the_far_end_ended_never_came(alice: Phone, bob: Phone) -> None:
    """What the call was needed for cannot come any more: that counts against the far end."""
    out, back = connect(alice, bob)
    back.hangup()
    out.wait_closed(10)
    for act in (
        out.hold,
        out.resume,
        lambda: out.send_digits("1"),
        lambda: out.reinvite(codecs=("PCMA",)),
    ):
        with pytest.raises(NeverCame, match=r"still up.*the call has ended"):
            act()


@pytest.mark.parametrize("answered", [True, False], ids=["answered", "refused"])
def test_a_call_that_the_far_end_took_or_refused_cannot_be_cancelled(
    alice: Phone, bob: Phone, answered: bool
) -> None:
    out, back = ringing(alice, bob)
    if answered:
        back.answer()
        out.wait_state("confirmed", 10)
    else:
        back.reject(503)
        ended(out)
    with pytest.raises(NeverCame, match=r"still ringing"):
        out.cancel()


def test_a_call_that_we_cancelled_cannot_be_cancelled_again(alice: Phone, bob: Phone) -> None:
    out, _ = ringing(alice, bob)
    out.cancel()
    ended(out)
    with pytest.raises(PhoneMisuseError, match="only an outgoing, ringing call can be cancelled"):
        out.cancel()
