"""Recordings and loss counters of received RTP."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from harness.audio import g711, marks
from harness.audio.wav import read_wav
from harness.calls.checks import audio
from harness.calls.events import RtpStatistics
from harness.calls.verdict import Verdict
from harness.phone import rtp_log
from harness.phone.leg import Leg
from harness.sip.sdp import Description
from tests.loopback import fresh_address
from tests.phones import recorded
from tests.process.phone.conftest import Desk
from tests.sip_peer import SipPeer
from tests.stranger import Stranger, talking

FRAME = 160
ANSWER = "v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"


class Sbc(SipPeer):
    """Answers one call, and sends what RTP it is told to: numbers, timestamps and sources are the test's affair."""

    tag = "sbc"

    def __init__(self, host: str) -> None:
        super().__init__(host)
        self.rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.rtp.bind((host, 0))
        self._to = ("", 0)

    def answer(self) -> None:
        invite = self.request("INVITE")
        to = Description.parse(invite.body).rtp
        assert to is not None
        self._to = to
        headers = [("Contact", f"<sip:sbc@{self.address}>"), ("Content-Type", "application/sdp")]
        self.respond(invite, 200, headers, ANSWER.format(host=self.host, port=self.rtp.getsockname()[1]))
        self.request("ACK")

    def say_goodbye(self) -> None:
        self.respond(self.request("BYE"), 200)

    def send(self, mark: int, ssrc: int, first: int, count: int, leave_out: range = range(0), since: int = 0) -> None:
        """``count`` packets of a mark, 20 ms each, numbered from ``first``, with timestamps from ``since`` on."""
        period = np.rint(marks.waveform(mark, 8000) * 32767).astype(np.int16)
        voice = g711.encode_ulaw(np.resize(period, count * FRAME))
        began = time.monotonic()
        for number in range(count):
            time.sleep(max(0.0, began + number * 0.02 - time.monotonic()))
            if number not in leave_out:
                header = struct.pack("!BBHII", 0x80, 0, (first + number) & 0xFFFF, since + number * FRAME, ssrc)
                self.rtp.sendto(header + voice[number * FRAME : (number + 1) * FRAME], self._to)

    def close(self) -> None:
        super().close()
        self.rtp.close()


@pytest.fixture
def sbc() -> Iterator[Sbc]:
    with contextlib.closing(Sbc(fresh_address())) as sbc:
        yield sbc


def called(lease: Desk, sbc: Sbc) -> Leg:
    leg = lease("caller", codecs=("PCMU",)).dial(f"sip:+12065550100@{sbc.address}")
    sbc.answer()
    leg.wait_state("confirmed", 10)
    return leg


def ended(leg: Leg, sbc: Sbc, packets: int, sent: int = 0) -> RtpStatistics:
    """The last counters of a call that is ended when so many packets have been read, and so many sent."""
    leg.wait(
        "all packets",
        lambda e: isinstance(e, RtpStatistics) and e.rx_packets >= packets and e.tx_packets >= sent,
        within=10,
    )
    leg.hangup()
    sbc.say_goodbye()
    leg.wait_closed(10)
    return [event for event in leg.events if isinstance(event, RtpStatistics)][-1]


def test_what_came_is_recorded_sample_for_sample_and_nothing_where_nothing_came(lease: Desk, sbc: Sbc) -> None:
    leg = called(lease, sbc)
    sbc.send(10, 0x1111, first=7, count=60, leave_out=range(30, 40))
    ended(leg, sbc, 50)
    samples, _ = read_wav(Path(recorded(leg).path))
    came = [
        packet for packet in rtp_log.read(rtp_log.path_of(leg.phone.directory, leg.id)) if packet.source is not None
    ]
    voice = np.concatenate([g711.decode_ulaw(packet.octets[12:]) for packet in came])
    frames = {frame.tobytes() for frame in voice.reshape(-1, 80)}  # pjmedia's are of 10 ms
    loud = [
        frame for frame in samples[: len(samples) // 80 * 80].reshape(-1, 80) if np.abs(frame.astype(int)).max() > 16
    ]
    assert len(loud) > 60
    assert all(frame.tobytes() in frames for frame in loud)


def test_what_is_never_sent_leaves_no_gap_in_the_numbers_and_fails_all_the_same(
    lease: Desk, stranger: Stranger
) -> None:
    """RFC 3551 section 4.1: without silence suppression a source sends all the time; this one a quarter of it."""
    phone = lease("callee")
    leg, answer = talking(phone, stranger)
    rtp = Description.parse(answer.body).rtp
    assert rtp is not None
    stranger.speaks_to(rtp[1], phone, every_s=0.08)
    counted = leg.wait("two seconds", lambda e: isinstance(e, RtpStatistics) and e.rx_spanned_ms > 2000, within=10)
    assert isinstance(counted, RtpStatistics)
    assert counted.rx_lost == 0
    finding = audio.loss(leg.id, counted)
    assert finding is not None
    assert finding.verdict is Verdict.FAILED
    assert "its source sends too few packets" in finding.actual
