"""Digits, transfers of every kind, bridges."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from harness.errors import PhoneLostError, PhoneMisuseError
from harness.events import DtmfReceived, MarkEnded, MarkHeard, MediaState, TransferProgress
from harness.phone import Answer
from harness.phone.leg import Leg
from harness.phone.log_ring import last_lines
from harness.phone.waiter import NeverCame
from tests.process.phone.conftest import FORBIDDEN, Desk, connect, hears, told, uri_of


def digits(leg: Leg, count: int) -> list[DtmfReceived]:
    """The digits a leg got, once there are ``count``."""
    leg.wait(
        f"{count} digits",
        lambda e: isinstance(e, DtmfReceived) and len([d for d in leg.events if isinstance(d, DtmfReceived)]) >= count,
        5,
    )
    return [e for e in leg.events if isinstance(e, DtmfReceived)]


@pytest.mark.parametrize("method", ["rfc4733", "info"])
@pytest.mark.parametrize("forward", [True, False])
def test_digits_arrive_in_order_with_their_durations(lease: Desk, method: str, forward: bool) -> None:
    out, back = connect(lease("alice"), lease("bob"))
    sender, receiver = (out, back) if forward else (back, out)
    sender.send_digits("15#", method=method, duration_ms=120)  # type: ignore[arg-type]
    got = digits(receiver, 3)
    assert "".join(d.digit for d in got) == "15#"
    assert {d.method for d in got} == {method}
    assert all(100 <= d.duration_ms <= 160 for d in got)


@pytest.mark.parametrize("ends", ["hangs up", "offers anew"])
def test_a_stream_that_ends_amid_a_digit_has_left_the_bridge_before(own: Desk, tmp_path: Path, ends: str) -> None:
    """Else two threads of pjmedia have the digit in hand, and the process aborts (once in some thousand transfers)."""
    alice, bob = own("alice", max_calls=own.process_holds), own("bob")
    out, back = connect(alice, bob)
    out.send_digits("1", duration_ms=1000)
    with pytest.raises(NeverCame):
        back.wait("the digit's end", lambda e: isinstance(e, DtmfReceived), 0.2)
    if ends == "hangs up":
        back.hangup()
        out.wait_closed(10)
    else:
        back.reinvite(["PCMA"])
        out.wait("its new stream", lambda e: isinstance(e, MediaState) and e.codec == "PCMA", 10)
    (ring,) = tmp_path.rglob(f"child-{alice.process.pid}.ring")
    said = "\n".join(last_lines(ring, most=400))
    begins = said.index("Sending DTMF digit")
    assert "Removed port" in said[begins : said.index("Stream destroying", begins)]


def test_telephone_event_can_be_left_out(lease: Desk) -> None:
    out, back = connect(lease("alice", telephone_event=False), lease("bob"))
    assert "telephone-event" not in out.invite.text
    with pytest.raises(NeverCame, match="telephone-event"):
        back.send_digits("1")
    back.send_digits("1", method="info")
    assert digits(out, 1)[0].digit == "1"


def test_telephone_event_can_be_left_out_of_an_answer(lease: Desk) -> None:
    out, _ = connect(lease("alice"), lease("bob", telephone_event=False))
    assert "telephone-event" in out.invite.text
    with pytest.raises(NeverCame, match="telephone-event"):
        out.send_digits("1")


def test_inband_digits_are_heard_when_asked_for(lease: Desk, tmp_path_factory: pytest.TempPathFactory) -> None:
    import numpy as np

    from harness.audio.wav import write_wav
    from harness.phone import Wav

    rate = 8000
    time = np.arange(int(0.12 * rate)) / rate
    tone = 0.2 * (np.sin(2 * np.pi * 770 * time) + np.sin(2 * np.pi * 1336 * time))
    path = tmp_path_factory.mktemp("wav") / "five.wav"
    write_wav(path, np.concatenate([np.zeros(rate // 2), tone, np.zeros(rate // 2)]).astype(np.float32), rate)
    out, back = connect(lease("alice"), lease("bob", inband_dtmf=True), play=Wav(path))
    assert digits(back, 1)[0].digit == "5"
    assert digits(back, 1)[0].method == "inband"
    hears(back, out)  # the mark follows the WAV


def test_a_blind_transfer_is_followed(lease: Desk) -> None:
    alice, bob, carol = lease("alice", max_calls=2), lease("bob"), lease("carol")
    carol.policy = Answer()
    out, back = connect(alice, bob)
    back.transfer(f"{uri_of(carol)}?X-Gladly-Routing-Selector=billing", headers=[("X-Reason", "test")])
    landed = carol.expect_call(10, answer=None)
    done = back.wait("the transfer", lambda e: isinstance(e, TransferProgress) and e.final, 10)
    assert isinstance(done, TransferProgress)
    assert done.code == 200
    told(alice)
    assert out.successor is not None
    assert out.successor.predecessor is out
    hears(out.successor, landed)
    hears(landed, out.successor)
    assert "X-Gladly-Routing-Selector: billing\r\n" in landed.invite.text
    assert any(m.text.startswith("REFER ") and "X-Reason: test" in m.text for m in out.messages)
    back.hangup()
    out.wait_state("disconnected", 10)
    assert out.successor.state == "confirmed"


def test_a_refer_to_another_transport_is_followed_over_a_proxy(lease: Desk) -> None:
    """The proxy is the next hop, whatever the Request-URI asks for (RFC 3261 section 8.1.2)."""
    bob = lease("bob", max_calls=2)
    bob.policy = Answer()
    alice = lease("alice", max_calls=2, proxy=bob.address)
    _, back = connect(alice, bob)
    back.transfer(f"{uri_of(bob)};transport=tcp")
    landed = bob.expect_call(10, answer=None)
    assert "transport=tcp" in landed.invite.text.partition("\r\n")[0]
    landed.wait_state("confirmed", 10)
    assert alice.declined is None


@pytest.mark.parametrize("why", ["config", "guard", "room", "transport"])
def test_a_transfer_may_be_declined(lease: Desk, why: str) -> None:
    most = lease.process_holds
    alice = lease("alice", max_calls=most if why == "room" else 2, accept_refer=why != "config")
    bob = lease("bob", max_calls=most)
    bob.policy = Answer()
    out, back = connect(alice, bob)
    if why == "room":
        for _ in range(most - 1):
            alice.dial(uri_of(bob)).wait_state("confirmed", 10)
    target = f"sip:{FORBIDDEN}@{bob.address}" if why == "guard" else uri_of(bob)
    if why == "transport":
        target += ";transport=tcp"
    # The target is refused by the one that would follow it; the guard of whoever asks is another matter.
    asked = bob.process.call("transfer", leg=back.key, uri=target, headers=[])
    assert asked is None
    end = back.wait("the refusal", lambda e: isinstance(e, TransferProgress) and e.final, 10)
    assert isinstance(end, TransferProgress)
    assert end.code == 603
    assert out.successor is None
    assert out.state == "confirmed"
    assert (alice.declined is not None) == (why != "config")  # this run's rules and this machine speak against nobody
    assert why != "room" or "holds no further call" in str(alice.declined)
    assert why != "transport" or "has UDP alone, and Refer-To asks for TCP" in str(alice.declined)


def test_a_transfer_that_the_harness_is_too_late_to_permit_is_nobodys_refusal(
    lease: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk kept the count of calls for 1.4 s; the phone declined, and the platform had the blame."""
    alice, bob = lease("alice", max_calls=2), lease("bob", max_calls=lease.process_holds)
    bob.policy = Answer()
    out, back = connect(alice, bob)
    waits = threading.Event()
    monkeypatch.setattr(alice, "follow", lambda leg, uri, has_room: waits.wait(5))
    bob.process.call("transfer", leg=back.key, uri=uri_of(bob), headers=[])
    back.wait("the refusal", lambda e: isinstance(e, TransferProgress) and e.final, 10)
    waits.set()
    with pytest.raises(PhoneLostError, match="the harness took more than 1 s to answer 'may_follow'"):
        out.wait_state("disconnected", 10)


def test_a_transfer_to_nobody_reports_the_failure(lease: Desk) -> None:
    from harness.phone import Reject

    alice, bob, carol = lease("alice", max_calls=2), lease("bob"), lease("carol")
    carol.policy = Reject(486)
    out, back = connect(alice, bob)
    back.transfer(uri_of(carol))
    end = back.wait("the failure", lambda e: isinstance(e, TransferProgress) and e.final, 10)
    assert isinstance(end, TransferProgress)
    assert end.code == 486
    hears(out, back, since=end.at)


def test_an_attended_transfer_joins_the_two_others(lease: Desk) -> None:
    alice, bob, carol = lease("alice", max_calls=2), lease("bob", max_calls=2), lease("carol", max_calls=2)
    bob.policy = carol.policy = Answer()
    out, back = connect(alice, bob)
    asking = bob.dial(uri_of(carol))
    asked = carol.expect_call(10, answer=None)
    asking.wait_state("confirmed", 10)
    back.transfer_attended(asking)
    end = back.wait("the transfer", lambda e: isinstance(e, TransferProgress) and e.final, 10)
    assert isinstance(end, TransferProgress)
    assert end.code == 200
    told(alice, carol)
    assert out.successor is not None
    assert asked.successor is not None
    hears(out.successor, asked.successor)
    hears(asked.successor, out.successor)
    asked.wait_state("disconnected", 10)
    assert "Replaces:" in asked.successor.invite.text


def test_a_bridge_lets_both_far_ends_hear_each_other(lease: Desk) -> None:
    alice, bob, carol = lease("alice"), lease("bob", max_calls=2), lease("carol")
    carol.policy = Answer()
    out, back = connect(alice, bob)
    warm = bob.dial(uri_of(carol))
    landed = carol.expect_call(10, answer=None)
    hears(landed, warm)
    back.bridge(warm)
    hears(landed, out)
    hears(out, landed)
    landed.wait("bob's own mark ends", lambda e: isinstance(e, MarkEnded) and e.mark == warm.mark, 10)
    landed.hangup()
    end = out.wait("silence", lambda e: isinstance(e, MarkEnded) and e.mark == landed.mark, 10)
    assert back.state == "confirmed"
    assert not [e for e in out.events if isinstance(e, MarkHeard) and e.mark == back.mark and e.at > end.at]


def test_legs_of_different_processes_cannot_be_bridged(lease: Desk) -> None:
    most = lease.process_holds
    alice, bob, carol = lease("alice", max_calls=most), lease("bob", max_calls=most), lease("carol")
    out, back = connect(alice, bob)
    assert alice.process is not bob.process
    with pytest.raises(PhoneMisuseError, match="different processes"):
        out.bridge(back)
    assert carol.process is not alice.process
