"""Calls between two phones: set-up, end, refusals, headers, marks, recordings."""

from __future__ import annotations

import pytest

from harness.errors import PhoneMisuseError, RefusedError, ResourceError
from harness.events import CallState, Listened, MarkHeard, MediaState, RtpStatistics, SipMessage
from harness.phone import Answer, Early, Reject, Silence, Silent, Wav
from harness.phone.waiter import NeverCame
from tests.loopback import fresh_address
from tests.process.phone.conftest import (
    FORBIDDEN,
    Desk,
    connect,
    hears,
    media_of,
    once,
    states,
    told,
    uri_of,
)


def test_both_ends_hear_each_other_and_a_hang_up_ends_both(lease: Desk) -> None:
    alice, bob = lease("alice"), lease("bob")
    out, back = connect(alice, bob)
    assert hears(out, back).quality > 0.9
    assert hears(back, out).began > out.events[0].at
    assert out.mark != back.mark
    assert out.codec == back.codec == "PCMU"
    out.hangup()
    for leg in (out, back):
        leg.wait_state("disconnected", 10)
    assert [state for state, _ in states(out)] == ["calling", "early", "connecting", "confirmed", "disconnected"]
    assert states(back)[0][0] == "incoming"


def test_every_message_is_an_event_of_its_leg(lease: Desk) -> None:
    alice, bob = lease("alice"), lease("bob")
    out, back = connect(alice, bob)
    out.hangup()
    out.wait_closed()
    back.wait_closed()
    for leg, phone, way in ((out, alice, ("sent", "received")), (back, bob, ("received", "sent"))):
        starts = [(m.direction, m.text.split(" ")[0 if m.text[:3] != "SIP" else 1]) for m in once(leg.messages)]
        request, response = way
        assert starts == [
            (request, "INVITE"),
            (response, "100"),
            (response, "180"),
            (response, "200"),
            (request, "ACK"),
            (request, "BYE"),
            (response, "200"),
        ]
        assert {m.local for m in leg.messages} == {phone.address}
        assert all(m.transport == "udp" and m.text.endswith("\r\n") for m in leg.messages)
    assert out.invite.text == back.invite.text
    assert f"Contact: <sip:{alice.config.user}@{alice.address}" in out.invite.text
    assert f"c=IN IP4 {alice.config.bind_address}" in out.invite.text


def test_headers_go_both_ways(lease: Desk) -> None:
    alice, bob = lease("alice"), lease("bob")
    out = alice.dial(uri_of(bob), headers=[("X-EI", "S.abc;E.crm456;"), ("X-Gladly-Caller-Id", "+12065550101")])
    back = bob.expect_call(10, headers=[("X-CI", "call-1")])
    assert "X-EI: S.abc;E.crm456;\r\n" in back.invite.text
    assert "X-Gladly-Caller-Id: +12065550101\r\n" in back.invite.text
    out.wait_state("confirmed", 10)
    assert any("X-CI: call-1\r\n" in message.text for message in out.messages if message.direction == "received")


@pytest.mark.parametrize("code", [486, 603, 480])
def test_a_refusal_reaches_the_caller(lease: Desk, code: int) -> None:
    alice, bob = lease("alice"), lease("bob")
    bob.policy = Reject(code)
    out = alice.dial(uri_of(bob))
    assert out.wait_state("disconnected", 10).code == code
    bob.policy = Answer()
    again = alice.dial(uri_of(bob))
    again.wait_state("confirmed", 10)


def test_the_callee_may_refuse_by_hand(lease: Desk) -> None:
    alice, bob = lease("alice"), lease("bob")
    out = alice.dial(uri_of(bob))
    bob.expect_call(10, answer=None).reject(486)
    assert out.wait_state("disconnected", 10).code == 486


def test_cancel_stops_the_ringing(lease: Desk) -> None:
    alice, bob = lease("alice"), lease("bob")
    out = alice.dial(uri_of(bob))
    back = bob.expect_call(10, answer=None)
    out.wait_state("early", 10)
    out.cancel()
    assert back.wait_state("disconnected", 10).code == 487
    out.wait_closed()
    assert [m.text.split(" ")[1] for m in once(out.messages) if m.text.startswith("SIP")][-2:] in (
        ["200", "487"],
        ["487", "200"],
    )


def test_a_silent_phone_gives_no_sign_but_100(lease: Desk) -> None:
    alice, bob = lease("alice"), lease("bob")
    bob.policy = Silent()
    out = alice.dial(uri_of(bob))
    back = bob.expect_call(10, answer=None, ring=False)
    out.wait("100", lambda e: isinstance(e, SipMessage) and e.text.startswith("SIP/2.0 100"), 10)
    back.ring()
    out.wait_state("early", 10)


def test_early_media_is_heard_before_the_answer(lease: Desk) -> None:
    alice, bob = lease("alice"), lease("bob")
    bob.policy = Early()
    out = alice.dial(uri_of(bob))
    back = bob.expect_call(10, answer=None)
    hears(out, back)
    assert out.state == "early"
    back.answer()
    out.wait_state("confirmed", 10)


def test_a_phone_answers_by_itself_after_a_while(lease: Desk) -> None:
    alice, bob = lease("alice"), lease("bob")
    bob.policy = Answer(after=0.3)
    alice.dial(uri_of(bob))
    back = bob.next_call(10)
    back.wait_state("confirmed", 10)
    answer = next(m for m in back.messages if m.text.startswith("SIP/2.0 200"))
    assert answer.at - back.invite.at >= 0.28


def test_silence_is_listened_to_and_no_mark_is_heard_in_it(lease: Desk) -> None:
    alice, bob = lease("alice"), lease("bob")
    out, back = connect(alice, bob, play=Silence())
    pulse = back.wait("half a second", lambda e: isinstance(e, Listened) and e.seconds > 0.5, 10)
    assert isinstance(pulse, Listened)
    assert pulse.level_dbov < -70
    assert not [e for e in back.events if isinstance(e, MarkHeard)]
    hears(out, back)


def test_statistics_count_packets_both_ways(lease: Desk) -> None:
    alice, bob = lease("alice"), lease("bob")
    out, back = connect(alice, bob)
    hears(out, back)
    now = out.statistics()
    assert now is not None
    assert now.tx_packets > 3
    assert now.rx_packets > 3
    assert now.rx_bytes == now.rx_packets * 160
    assert now.rx_lost == 0
    out.hangup()
    out.wait_closed()
    last = [e for e in out.events if isinstance(e, RtpStatistics)][-1]
    assert last.rx_packets >= now.rx_packets


@pytest.mark.parametrize("codec", ["PCMU", "PCMA", "G722"])
def test_the_codec_is_the_one_configured(lease: Desk, codec: str) -> None:
    alice, bob = lease("alice", codecs=(codec,)), lease("bob", codecs=("PCMU", "PCMA", "G722"))
    out, back = connect(alice, bob)
    assert (out.codec, back.codec) == (codec, codec)
    hears(out, back)
    hears(back, out)


def test_no_common_codec_is_488(lease: Desk) -> None:
    alice, bob = lease("alice", codecs=("PCMA",)), lease("bob", codecs=("PCMU",))
    out = alice.dial(uri_of(bob))
    assert out.wait_state("disconnected", 10).code == 488


def test_hold_stops_the_audio_and_resume_brings_it_back(lease: Desk) -> None:
    alice, bob = lease("alice"), lease("bob")
    out, back = connect(alice, bob)
    hears(out, back)
    hears(back, out)
    out.hold()
    held = out.wait("held", lambda e: isinstance(e, MediaState) and e.direction == "sendonly", 10)
    back.wait("held", lambda e: isinstance(e, MediaState) and e.direction == "recvonly", 10)
    back.wait("silence", lambda e: isinstance(e, Listened) and e.level_dbov < -60, 10, since=held.at)
    out.resume()
    resumed = out.wait("resumed", lambda e: isinstance(e, MediaState) and e.direction == "sendrecv", 10, since=held.at)
    hears(out, back, since=resumed.at)
    hears(back, out, since=resumed.at)


def test_reinvite_changes_the_codec(lease: Desk) -> None:
    alice, bob = lease("alice", codecs=("PCMU",)), lease("bob", codecs=("PCMU", "PCMA"))
    out, back = connect(alice, bob)
    assert out.codec == "PCMU"
    begin = out.events[-1].at
    out.reinvite(["PCMA"])
    back.wait("PCMA", lambda e: isinstance(e, MediaState) and e.codec == "PCMA", 10)
    hears(back, out, since=begin + 0.2)
    hears(out, back, since=begin + 0.2)


@pytest.mark.parametrize("srtp", ["optional", "mandatory"])
def test_srtp_is_negotiated_on_request(lease: Desk, srtp: str) -> None:
    alice, bob = lease("alice", srtp=srtp), lease("bob", srtp="optional")
    out, back = connect(alice, bob)
    assert media_of(back, 10).secure
    hears(out, back)


def test_privacy_hides_the_caller_and_asserts_it(lease: Desk) -> None:
    alice, bob = lease("alice", privacy=True), lease("bob")
    _, back = connect(alice, bob)
    assert 'From: "Anonymous" <sip:anonymous@anonymous.invalid>' in back.invite.text
    assert "Privacy: id\r\n" in back.invite.text
    assert f"P-Asserted-Identity: <{alice.config.address_of_record}>\r\n" in back.invite.text


def test_what_may_not_be_called_is_not(lease: Desk) -> None:
    alice = lease("alice")
    with pytest.raises(RefusedError):
        alice.dial(f"sip:{FORBIDDEN}@{alice.address}")
    assert not alice.legs


def test_options_are_answered(lease: Desk) -> None:
    alice, bob = lease("alice"), lease("bob")
    assert alice.options(uri_of(bob)) == (200, "OK")
    told(bob)
    assert any(isinstance(e, SipMessage) and e.text.startswith("OPTIONS ") for e in alice.events)
    assert any(isinstance(e, SipMessage) and e.text.startswith("OPTIONS ") for e in bob.events)


def test_one_call_more_than_there_is_room_for(lease: Desk) -> None:
    alice, bob = lease("alice", max_calls=4), lease("bob", max_calls=4)
    bob.policy = Answer()
    legs = [alice.dial(uri_of(bob)) for _ in range(4)]
    for leg in legs:
        leg.wait_state("confirmed", 10)
    with pytest.raises(ResourceError, match="4 calls"):
        alice.dial(uri_of(bob))
    told(bob)
    for out, back in zip(legs, bob.incoming, strict=True):
        hears(out, back)


def test_a_phone_takes_no_more_calls_than_it_may(lease: Desk) -> None:
    alice, bob = lease("alice", max_calls=2), lease("bob")
    bob.policy = Answer()
    alice.dial(uri_of(bob)).wait_state("confirmed", 10)
    assert alice.dial(uri_of(bob)).wait_state("disconnected", 10).code == 486
    told(bob)
    assert len(bob.incoming) == 1


def test_more_calls_than_a_process_holds_cannot_be_leased(lease: Desk) -> None:
    most = lease.process_holds
    with pytest.raises(ResourceError, match=f"holds {most}"):
        lease("alice", max_calls=most + 1)


def test_a_codec_that_is_not_built_in_is_named(lease: Desk) -> None:
    with pytest.raises(ResourceError, match=r"no AMR-WB; it has .*PCMU"):
        lease("alice", codecs=("AMR-WB",))


def test_misuse_is_an_error_and_not_an_abort(lease: Desk) -> None:
    alice, bob = lease("alice"), lease("bob")
    out = alice.dial(uri_of(bob))
    back = bob.expect_call(10, answer=None)
    out.wait_state("early", 10)
    for wrong in (out.answer, out.hold, back.hold, lambda: back.transfer(uri_of(alice)), lambda: out.send_digits("1")):
        with pytest.raises(PhoneMisuseError):
            wrong()
    back.answer()
    back.wait_state("confirmed", 10)
    with pytest.raises(PhoneMisuseError):
        back.answer()
    out.hangup()
    out.hangup()
    back.wait_state("disconnected", 10)
    for wrong in (out.answer, out.resume, lambda: out.play(Silence()), lambda: out.bridge(out)):
        with pytest.raises(PhoneMisuseError):
            wrong()
    with pytest.raises(PhoneMisuseError):
        alice.dial("not a uri: <>")
    with pytest.raises(PhoneMisuseError, match="cannot be played"):
        alice.dial(uri_of(bob), play=Wav("/nowhere.wav"))
    assert alice.options(uri_of(bob))[0] == 200


def test_a_wait_ends_with_the_call_and_says_what_came_instead(lease: Desk) -> None:
    alice, bob = lease("alice"), lease("bob")
    out, back = connect(alice, bob)
    back.hangup()
    with pytest.raises(NeverCame, match="the call has ended") as caught:
        out.wait("a mark that nobody sends", lambda e: isinstance(e, MarkHeard) and e.mark == 255, 30)
    assert "BYE" in str(caught.value)
    carol = lease("carol")
    carol.policy = Reject(486)
    with pytest.raises(NeverCame, match="the call has ended with 486"):
        alice.dial(uri_of(carol)).wait_state("confirmed", 30)
    with pytest.raises(NeverCame, match="the phone itself gave the call up: "):
        lease("dora", transport="tcp").dial(f"sip:nobody@{fresh_address()}:9;transport=tcp").wait_state("confirmed", 30)
    with pytest.raises(NeverCame, match=r"a call at bob within 0.1 s"):
        bob.next_call(0.1)


def test_a_busy_port_is_a_resource_error(lease: Desk) -> None:
    alice = lease("alice")
    host, port = alice.address.split(":")
    with pytest.raises(ResourceError, match=f"udp {host}:{port}"):
        lease("bob", bind_address=host, bind_port=int(port))


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_fixed_port_is_free_for_the_next_lease_at_once(lease: Desk, transport: str) -> None:
    first = lease("first", transport=transport)
    host, _, port = first.address.rpartition(":")
    first.release()
    for _ in range(3):
        alice = lease("alice", transport=transport, bind_address=host, bind_port=int(port))
        bob = lease("bob", transport=transport)
        out, back = connect(bob, alice)
        hears(out, back)
        alice.release()
        bob.release()


def test_reliable_provisional_responses_are_acknowledged(lease: Desk) -> None:
    alice, bob = lease("alice", reliable_provisional="optional"), lease("bob", reliable_provisional="required")
    out, back = connect(alice, bob)
    assert any(m.text.startswith("PRACK ") for m in out.messages)
    ringing = next(m for m in back.messages if m.text.startswith("SIP/2.0 180"))
    assert "Require: 100rel" in ringing.text


def test_session_timers_are_offered_as_configured(lease: Desk) -> None:
    alice, bob = lease("alice", session_timer="required", session_expires=120), lease("bob", min_se=200)
    out, back = connect(alice, bob)
    # RFC 4028: 422 names the least interval bob takes, and alice offers that.
    assert any(m.text.startswith("SIP/2.0 422") for m in out.messages)
    offers = [m.text for m in once(out.messages) if m.text.startswith("INVITE ")]
    assert "Session-Expires: 120" in offers[0]
    assert "Session-Expires: 200" in offers[1]
    assert back.state == "confirmed"


def test_a_leg_cannot_be_bridged_with_itself(lease: Desk) -> None:
    out, _ = connect(lease("alice"), lease("bob"))
    with pytest.raises(PhoneMisuseError, match="itself"):
        out.bridge(out)


def test_another_number_can_be_shown(lease: Desk) -> None:
    alice, bob = lease("alice", display_name="Alice Ünal"), lease("bob")
    out = alice.dial(uri_of(bob))
    shown = bob.expect_call(10, answer=None)
    assert 'From: "Alice Ünal" <sip:+12065550101@example.com>' in shown.invite.text
    shown.reject()
    for call in (shown, out):
        call.wait_closed()
    alice.dial(uri_of(bob), identity="+12065550150")
    assert "<sip:+12065550150@example.com>" in bob.expect_call(10, answer=None).invite.text


def test_rtp_is_counted_over_the_whole_call(lease: Desk) -> None:
    """Each negotiation may begin another stream, whose own counters begin at nought."""
    alice, bob = lease("alice"), lease("bob")
    out, back = connect(alice, bob)
    hears(out, back)
    out.reinvite(codecs=("PCMA",))
    changed = out.wait("PCMA", lambda e: isinstance(e, MediaState) and e.codec == "PCMA", 10).at
    hears(out, back, since=changed + 0.4)
    out.hangup()
    out.wait_closed()
    told = [event for event in out.events if isinstance(event, RtpStatistics)]
    counts = [(event.rx_packets, event.tx_packets, event.rx_lost) for event in told]
    assert counts == sorted(counts)
    before = max(event.rx_packets for event in told if event.at <= changed)
    assert 0 < before < told[-1].rx_packets - 15


def test_a_call_that_the_far_end_ended_is_not_the_harness_s_fault(lease: Desk) -> None:
    """What it was up for cannot come any more: that speaks against the far end, as a wait that ends with the call does."""
    alice, bob = lease("alice"), lease("bob")
    out, back = connect(alice, bob)
    back.hangup()
    out.wait("the end", lambda e: isinstance(e, CallState) and e.state == "disconnected", 10, outlives_call=True)
    out.wait_closed()
    for act in (out.hold, out.resume, lambda: out.send_digits("1"), lambda: out.reinvite(codecs=("PCMA",))):
        with pytest.raises(NeverCame, match=r"still up.*the call has ended"):
            act()
    with pytest.raises(PhoneMisuseError):  # who hung up knows it
        back.hold()


def test_a_call_that_was_answered_cannot_be_given_up(lease: Desk) -> None:
    alice, bob = lease("alice"), lease("bob")
    out, back = connect(alice, bob)
    with pytest.raises(NeverCame, match=r"still ringing.*it was answered"):
        out.cancel()
    with pytest.raises(PhoneMisuseError):
        back.cancel()
