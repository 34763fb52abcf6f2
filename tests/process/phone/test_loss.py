"""Recordings and loss counters of received RTP."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np

from harness.audio import g711
from harness.audio.wav import read_wav
from harness.case.checks import audio
from harness.case.events import RtpStatistics
from harness.case.verdict import Verdict
from harness.phone import rtp_log
from tests.phones import recorded
from tests.process.phone.conftest import Desk
from tests.stranger import Stranger, port_of, rtp_of, talking


def test_what_came_is_recorded_sample_for_sample_and_nothing_where_nothing_came(
    lease: Desk, stranger: Stranger
) -> None:
    phone, pace = lease("callee"), threading.Event()
    leg, answer = talking(phone, stranger)
    for packet in rtp_of(10, [*range(7, 37), *range(47, 67)]):
        stranger.rtp.sendto(packet, (phone.address.rpartition(":")[0], port_of(answer)))
        pace.wait(0.02)
    leg.wait("all packets", lambda e: isinstance(e, RtpStatistics) and e.rx_packets >= 50, 10)
    stranger.hangs_up(phone, answer)
    samples, _ = read_wav(Path(recorded(leg).path))
    came = [
        packet
        for packet in rtp_log.read(rtp_log.path_of(phone.directory, leg.id))
        if packet.source is not None
    ]
    voice = np.concatenate([g711.decode_ulaw(packet.octets[12:]) for packet in came])
    frames = {frame.tobytes() for frame in voice.reshape(-1, 80)}  # pjmedia's are of 10 ms
    recorded_frames = samples[: len(samples) // 80 * 80].reshape(-1, 80)
    loud = [frame for frame in recorded_frames if np.abs(frame.astype(int)).max() > 16]
    assert len(loud) > 60
    assert all(frame.tobytes() in frames for frame in loud)


def test_what_is_never_sent_leaves_no_gap_in_the_numbers_and_fails_all_the_same(
    lease: Desk, stranger: Stranger
) -> None:
    """RFC 3551 section 4.1: without silence suppression a source sends all the time; this one a
    quarter of it.
    """
    phone = lease("callee")
    leg, answer = talking(phone, stranger)
    stranger.speaks_to(port_of(answer), phone, every_s=0.08)
    counted = leg.wait(
        "two seconds", lambda e: isinstance(e, RtpStatistics) and e.rx_spanned_ms > 2000, within=10
    )
    assert isinstance(counted, RtpStatistics)
    assert counted.rx_lost == 0
    finding = audio.loss(leg.id, counted)
    assert finding is not None
    assert finding.verdict is Verdict.FAILED
    assert "its source sends too few packets" in finding.actual
