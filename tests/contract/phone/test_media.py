"""Audio: marks each way, other sources, codecs, hold, re-INVITEs, SRTP, digits, bridges, counters
and recordings.
"""

from __future__ import annotations

import resource
import time
import wave
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from harness.audio import marks
from harness.case.events import (
    DtmfReceived,
    Listened,
    MarkEnded,
    MarkHeard,
    MediaState,
    Recorded,
    RtpStatistics,
)
from harness.errors import PhoneMisuseError, ResourceError
from harness.phone import Answer, Leg, Mark, NeverCame, Phone, Reject, Ring, Silence, Wav
from tests.phones import Desk, connect, event_of, hears, media_of, recorded, uri_of
from tests.stranger import Stranger, talking


@pytest.fixture
def alice(lease: Desk) -> Phone:
    return lease("alice")


@pytest.fixture
def bob(lease: Desk) -> Phone:
    return lease("bob", codecs=("PCMU", "PCMA", "G722"))


def marks_of(leg: Leg) -> set[int]:
    """Every mark that a leg has heard."""
    return {event.mark for event in leg.events if isinstance(event, MarkHeard)}


def falls_silent(leg: Leg, since: float) -> Listened:
    event = leg.wait("silence", lambda e: isinstance(e, Listened) and e.level_dbov < -60, 10, since)
    assert isinstance(event, Listened)
    return event


# Marks and other sources


def test_each_end_hears_the_others_mark_and_no_other(alice: Phone, bob: Phone) -> None:
    out, back = connect(alice, bob)
    heard = hears(out, back)
    assert heard.quality > 0.9
    assert out.events[0].at < heard.began <= heard.at
    hears(back, out)
    assert marks_of(out) == {back.mark}
    assert marks_of(back) == {out.mark}
    pulse = out.wait("a pulse", lambda e: isinstance(e, Listened) and e.seconds > 0.1, 10)
    assert isinstance(pulse, Listened)
    assert pulse.level_dbov > -40


def test_silence_is_sent_as_packets_and_heard_as_silence(alice: Phone, bob: Phone) -> None:
    out, back = connect(alice, bob, play=Silence())
    pulse = back.wait("half a second", lambda e: isinstance(e, Listened) and e.seconds > 0.5, 10)
    assert isinstance(pulse, Listened)
    assert pulse.level_dbov < -70
    hears(out, back)
    assert marks_of(back) == set()


def test_what_a_leg_plays_can_be_changed(alice: Phone, bob: Phone) -> None:
    out, back = connect(alice, bob)
    hears(out, back)
    back.play(Silence())
    ended = event_of(out, MarkEnded, mark=back.mark)
    begun = time.monotonic()
    back.play(Mark())
    assert hears(out, back, since=begun).began > ended.at


FOREIGN = 250  # a mark that no leg sends by itself


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    """A recording of a mark."""
    path = tmp_path / "foreign.wav"
    path.write_bytes(marks.wav(FOREIGN, 0.96))
    return path


def test_a_wav_is_played_once_and_the_mark_follows(alice: Phone, bob: Phone, wav: Path) -> None:
    out, back = connect(alice, bob, play=Wav(wav))
    hears(back, out)
    assert marks_of(back) == {FOREIGN, out.mark}


def test_a_looped_wav_is_played_over_and_over(alice: Phone, bob: Phone, wav: Path) -> None:
    _, back = connect(alice, bob, play=Wav(wav, loop=True))
    first = event_of(back, MarkHeard)
    event_of(back, MarkHeard, since=first.at + 1.0)
    assert marks_of(back) == {FOREIGN}


# What is negotiated


@pytest.mark.parametrize("codec", ["PCMU", "PCMA", "G722"])
def test_the_codec_is_the_one_configured(lease: Desk, bob: Phone, codec: str) -> None:
    out, back = connect(lease("alice", codecs=(codec,)), bob)
    assert (out.codec, back.codec) == (codec, codec)
    hears(out, back)
    hears(back, out)


def test_no_common_codec_is_488(lease: Desk) -> None:
    out = lease("alice", codecs=("PCMA",)).dial(uri_of(lease("carol", codecs=("PCMU",))))
    assert out.wait_state("disconnected", 10).code == 488


@pytest.mark.parametrize("who", ["caller", "callee"])
def test_hold_stops_the_audio_and_resume_restores_it(alice: Phone, bob: Phone, who: str) -> None:
    legs = connect(alice, bob)
    holder, held = legs if who == "caller" else legs[::-1]
    hears(holder, held)
    hears(held, holder)
    holder.hold()
    begun = event_of(holder, MediaState, direction="sendonly")
    event_of(held, MediaState, direction="recvonly")
    falls_silent(held, since=begun.at)
    holder.resume()
    resumed = event_of(holder, MediaState, since=begun.at, direction="sendrecv")
    hears(holder, held, since=resumed.at)
    hears(held, holder, since=resumed.at)


def test_a_reinvite_changes_the_codec_and_rtp_is_counted_on(lease: Desk, bob: Phone) -> None:
    out, back = connect(lease("alice", codecs=("PCMU",)), bob)
    hears(out, back)
    assert out.codec == "PCMU"
    out.reinvite(["PCMA"])
    changed = event_of(out, MediaState, codec="PCMA").at
    event_of(back, MediaState, codec="PCMA")
    assert (out.codec, back.codec) == ("PCMA", "PCMA")
    hears(back, out, since=changed + 0.2)
    hears(out, back, since=changed + 0.4)
    out.hangup()
    out.wait_closed()
    counts = [event for event in out.events if isinstance(event, RtpStatistics)]
    received = [event.rx_packets for event in counts]
    assert received == sorted(received)
    before = max(event.rx_packets for event in counts if event.at <= changed)
    assert 0 < before < received[-1] - 15


@pytest.mark.parametrize("srtp", ["optional", "mandatory"])
def test_srtp_is_negotiated_on_request(lease: Desk, srtp: str) -> None:
    out, back = connect(lease("alice", srtp=srtp), lease("carol", srtp="optional"))
    assert media_of(back, 10).secure
    hears(out, back)


# Digits


@pytest.mark.parametrize("method", ["rfc4733", "info"])
@pytest.mark.parametrize("sender", ["caller", "callee"])
def test_digits_arrive_in_order_with_their_durations(
    alice: Phone, bob: Phone, method: Literal["rfc4733", "info"], sender: str
) -> None:
    legs = connect(alice, bob)
    speaking, listening = legs if sender == "caller" else legs[::-1]
    speaking.send_digits("15#", method=method, duration_ms=120)
    came: list[DtmfReceived] = []

    def are_three(event: object) -> bool:
        if isinstance(event, DtmfReceived):
            came.append(event)
        return len(came) == 3

    listening.wait("three digits", are_three, 10)
    assert "".join(event.digit for event in came) == "15#"
    assert {event.method for event in came} == {method}
    assert all(100 <= event.duration_ms <= 160 for event in came)


def test_digits_by_rfc4733_need_telephone_event_and_those_by_info_do_not(
    lease: Desk, peer: Stranger
) -> None:
    phone = lease("callee")
    leg, answer = talking(phone, peer)
    with pytest.raises(NeverCame, match="telephone-event in the negotiated SDP"):
        leg.send_digits("1")
    with ThreadPoolExecutor(1) as threads:
        sent = threads.submit(leg.send_digits, "1", "info")
        peer.respond(peer.request("INFO"), 200)
        sent.result()
    peer.hangs_up(phone, answer)


# Bridges


def test_a_bridge_lets_both_far_ends_hear_each_other_and_ends_the_marks(
    alice: Phone, lease: Desk
) -> None:
    bob, carol = lease("bob", max_calls=2), lease("carol")
    carol.policy = Answer()
    out, back = connect(alice, bob)
    warm = bob.dial(uri_of(carol))
    landed = carol.expect_call(10, answer=None)
    hears(landed, warm)
    back.bridge(warm)
    hears(landed, out)
    hears(out, landed)
    event_of(landed, MarkEnded, mark=warm.mark)
    landed.hangup()
    end = event_of(out, MarkEnded, mark=landed.mark)
    assert back.state == "confirmed"
    assert not [
        e for e in out.events if isinstance(e, MarkHeard) and e.mark == back.mark and e.at > end.at
    ]


def test_a_leg_is_bridged_neither_with_itself_nor_with_one_of_another_child(
    alice: Phone, apart: Desk
) -> None:
    out, back = connect(alice, apart("bob"))
    with pytest.raises(PhoneMisuseError, match="itself"):
        out.bridge(out)
    with pytest.raises(PhoneMisuseError, match="different processes"):
        out.bridge(back)


# Counters and recordings


def test_statistics_count_packets_both_ways(alice: Phone, bob: Phone) -> None:
    out, back = connect(alice, bob)
    hears(out, back)
    hears(back, out)
    now = out.statistics()
    assert now is not None
    assert min(now.tx_packets, now.rx_packets) > 3
    assert now.rx_bytes == now.rx_packets * 160
    assert now.rx_lost == 0
    out.hangup()
    out.wait_closed()
    last = out.statistics()
    assert last is not None
    assert last.rx_packets >= now.rx_packets


def test_a_call_without_media_has_neither_counters_nor_a_recording(
    alice: Phone, bob: Phone
) -> None:
    for policy in (Reject(486), Ring()):
        bob.policy = policy
        out = alice.dial(uri_of(bob))
        back = bob.next_call(10)
        if policy == Ring():
            out.wait_state("early", 10)
            out.hangup()
        for leg in (out, back):
            leg.wait_closed()
            assert leg.statistics() is None
            assert not any(isinstance(event, Recorded) for event in leg.events)
    assert list(alice.directory.glob("*.wav")) == []


def test_a_recording_holds_what_was_received_and_another_what_was_sent(
    alice: Phone, bob: Phone, lease: Desk
) -> None:
    """Played to another phone, each is heard as the mark that it holds."""
    out, back = connect(alice, bob)
    first = hears(out, back)
    event_of(out, Listened, since=first.at + 0.5)
    out.hangup()
    saved = recorded(out)
    assert saved.sent_path is not None
    listener = lease("listener", max_calls=2)
    for path, mark in ((saved.path, back.mark), (saved.sent_path, out.mark)):
        assert Path(path).parent == alice.directory
        with wave.open(path) as file:
            assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 8000)
        _, heard = connect(lease("player"), listener, play=Wav(path, loop=True))
        heard.wait(
            "the recorded mark",
            lambda e, mark=mark: isinstance(e, MarkHeard) and e.mark == mark,  # type: ignore[misc]
            10,
        )
        assert marks_of(heard) == {mark}
        heard.hangup()


def test_silence_before_the_first_sound_is_in_both_recordings(alice: Phone, bob: Phone) -> None:
    """What was sent is laid against what was received."""
    out, back = connect(alice, bob, play=Silence())
    event_of(out, Listened, since=hears(out, back).at + 1.0)
    out.play(Mark())
    hears(back, out)
    out.hangup()
    saved = recorded(out)
    assert saved.sent_path is not None
    received, sent = (soundfile.info(path).duration for path in (saved.path, saved.sent_path))
    assert abs(received - sent) < 0.5


def loud(samples: NDArray[np.int16]) -> NDArray[np.intp]:
    """The numbers of the samples that are no silence."""
    return np.flatnonzero(np.abs(samples.astype(int)) > 1000)


def test_what_was_received_can_be_read_while_the_call_goes_on(alice: Phone, bob: Phone) -> None:
    out, back = connect(alice, bob)
    hears(out, back)
    back.play(Silence())
    silent = event_of(out, MarkEnded, mark=back.mark).at
    event_of(out, Listened, since=silent + 2.0)
    asked = time.monotonic()
    back.play(Mark())
    heard = hears(out, back, since=asked).at
    event_of(out, Listened, since=heard + 0.5)
    assert loud(out.received_since(out.events[0].at))[0] < 8000, "the mark before the silence"
    begins = loud(out.received_since(silent + 0.5))[0] / 8000 + silent + 0.5
    assert asked - 0.1 <= begins <= heard + 0.1
    assert len(out.received_since(time.monotonic() + 1.0)) == 0


def test_a_disk_that_is_full_breaks_the_case(own: Desk) -> None:
    alice, bob = own("alice"), own("bob")
    (pid,) = own.pool.pids
    out, back = connect(alice, bob)
    hears(out, back)
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (8192, most))  # half a second of a recording
    begun = out.events[-1].at
    event_of(out, Listened, since=begun + 2.0)
    with pytest.raises(ResourceError, match=r"the disk took \d\.\d s of \d\.\d s"):
        out.received_since(out.events[0].at)
    back.hangup()
    for phone in (alice, bob):
        with pytest.raises(ResourceError, match="the disk took "):
            phone.release()
