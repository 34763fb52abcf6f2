"""How much of the time that a stream flows its packets' audio fills (RFC 3550, 3551, 3389, 4733)."""

from __future__ import annotations

import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.phone.child.streams import Reception, Sending
from harness.phone.rtp_log import record

MARKER = 0x80


class Source:
    """Sends packets of 20 ms."""

    def __init__(self) -> None:
        self.reception = Reception()
        self.now = 100.0
        self.number = 0

    def gets(self, at: float, number: int) -> None:
        """A packet that was sent in its turn, whenever it comes."""
        head = struct.pack("!BBHII", 0x80, 0, number & 0xFFFF, number * 160, 7)
        self.reception.take(record(at, head + bytes(160)))

    def sends(self, count: int, every_ms: float = 20.0, *, kind: int = 0, octets: int = 160, first: int = 0x80) -> None:
        for _ in range(count):
            self.now += every_ms / 1000
            self.number += 1
            head = struct.pack("!BBHII", first, kind, self.number & 0xFFFF, int(self.now * 8000) & 0xFFFFFFFF, 7)
            self.reception.take(record(self.now, head + bytes(octets)))

    @property
    def filled(self) -> float:
        told = self.reception.counts(0)
        return told["rx_filled_ms"] / told["rx_spanned_ms"]


@pytest.fixture
def source() -> Source:
    return Source()


def test_audio_fills_the_time_whatever_the_packets_length(source: Source) -> None:
    source.sends(100)
    source.sends(100, 30.0, octets=240)
    source.sends(100, 10.0, octets=80)
    assert source.filled == pytest.approx(1.0, abs=0.01)
    assert source.reception.counts(0)["rx_spanned_ms"] == pytest.approx(99 * 20 + 100 * 30 + 100 * 10, abs=1)


def test_a_quarter_of_the_packets_fills_a_quarter(source: Source) -> None:
    source.sends(50, 80.0)
    assert source.filled == pytest.approx(0.25)
    assert source.reception.lost == 0


@pytest.mark.parametrize(("every", "filled"), [(1, 1.0), (2, 0.5)])
@given(st.integers(), st.sampled_from([0.035, 0.08]))
def test_on_a_way_that_reorders_a_source_is_as_thin_as_it_sends(
    every: int, filled: float, seed: int, most: float
) -> None:
    """It sends 20 ms of audio each 20 ms, or each 40."""
    source, chance = Source(), random.Random(seed)
    arrivals = [(100 + 0.02 * every * number + chance.uniform(0, most), number) for number in range(300)]
    for at, number in sorted(arrivals):
        source.gets(at, number)
    told = source.reception.counts(0)
    assert (told["rx_lost"], told["rx_bursts"]) == (0, 0)
    assert source.filled == pytest.approx(filled, abs=0.03)


def test_silence_that_is_announced_is_none(source: Source) -> None:
    """RFC 3551 section 4.1: the first packet of a talkspurt has the marker. RFC 3389: comfort noise stands for silence."""
    for _ in range(20):
        source.sends(10)
        source.sends(1, 150.0, kind=MARKER)
    for _ in range(20):
        source.sends(10)
        source.sends(1, kind=13, octets=1)
        source.sends(1, 150.0)
    assert source.filled == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("apart_ms", "kind", "lost", "told"),
    [
        (199.0, 0, 0, False),
        (201.0, 0, 0, True),
        (320.0, 0, 0, True),
        (990.0, 0, 0, True),
        (1001.0, 0, 0, False),  # a hold, another party
        (320.0, MARKER, 0, False),  # announced (RFC 3551 section 4.1)
        (320.0, 13, 0, False),
        (320.0, 0, 16, False),  # the numbers tell of it
    ],
)
def test_a_pause_that_nothing_announces_is_told_once(
    source: Source, apart_ms: float, kind: int, lost: int, told: bool
) -> None:
    source.sends(10)
    before = source.now
    source.number += lost
    source.sends(1, apart_ms, kind=kind)
    source.sends(10)
    pauses = source.reception.take_pauses()
    assert [round(1000 * (ended - began)) for began, ended in pauses if began == pytest.approx(before)] == [
        round(apart_ms)
    ] * told
    assert source.reception.take_pauses() == []


def test_what_is_lost_is_counted_as_that(source: Source) -> None:
    for every_ms in (20.0, 40.0):
        for _ in range(20):
            source.sends(3, every_ms)
            source.number += 3
            source.now += 3 * every_ms / 1000
    assert source.reception.lost == 117
    assert source.filled == pytest.approx(2 / 3, abs=0.01), "40 ms apart for twice the time"


def test_digits_stand_in_the_audios_place(source: Source) -> None:
    """RFC 4733 section 2.1: events are sent instead of the audio, or beside it."""
    for _ in range(20):
        source.sends(10)
        source.sends(5, 50.0, kind=101, octets=4)
    assert source.filled == pytest.approx(1.0)


@given(st.integers(1, 159), st.integers(0, 15))
def test_padding_is_no_audio(padding: int, csrcs: int) -> None:
    """RFC 3550 section 5.1: the last octet counts what is to be ignored, itself included."""
    source = Source()
    for _ in range(50):
        source.now += 0.02
        source.number += 1
        head = struct.pack("!BBHII", 0xA0 | csrcs, 0, source.number, int(source.now * 8000), 7)
        source.reception.take(record(source.now, head + bytes(4 * csrcs + 159) + bytes([padding])))
    assert source.filled == pytest.approx((160 - padding) / 160, abs=0.01)


@pytest.mark.parametrize("kind", [96, 111, 3, 18])
def test_a_codec_whose_packets_do_not_say_how_long_they_are_is_not_measured(source: Source, kind: int) -> None:
    source.sends(50, 80.0, kind=kind)
    assert source.reception.counts(0)["rx_spanned_ms"] == 0


def test_another_source_begins_anew(source: Source) -> None:
    source.sends(10)
    other = struct.pack("!BBHII", 0x80, 0, 500, 0, 8) + bytes(160)
    source.reception.take(record(source.now + 0.1, other))
    source.sends(10)
    assert source.filled == pytest.approx(1.0, abs=0.2)


@given(st.integers(1, 200), st.integers(0, 40))
def test_what_comes_at_once_is_taken_as_what_comes_one_by_one(count: int, torn: int) -> None:
    """More pauses than there is room for, and a last packet that is not all there."""
    packets = [
        record(0.3 * number, struct.pack("!BBHII", 0x80, 0, number, 2400 * number, 7) + bytes(160))
        for number in range(count + 1)
    ]
    at_once, one_by_one = Reception(), Reception()
    at_once.take(b"".join(packets) + record(0.3 * (count + 1), bytes(172))[:torn])
    for packet in packets:
        one_by_one.take(packet)
    assert at_once.counts(0) == one_by_one.counts(0)
    pauses = at_once.take_pauses()
    assert pauses == one_by_one.take_pauses()
    assert [round(began / 0.3, 6) for began, _ in pauses] == list(range(count))
    assert at_once.take_pauses() == []


def test_what_is_sent_is_counted_of_the_newest_source() -> None:
    """Its reports have the sequence numbers that it has (RFC 3550 section 6.4.1)."""
    sending = Sending()
    for ssrc, first, count in ((7, 100, 3), (0xFFFFFFFF, 65_534, 5)):
        headers = (struct.pack("!BBHII", 0x80, 0, number & 0xFFFF, 0, ssrc) for number in range(first, first + count))
        sending.take(b"".join(record(1.0, header) for header in headers))
    assert (sending.offered, sending.sent, sending.ssrc, sending.first) == (8, 5, 0xFFFFFFFF, 65_534)
