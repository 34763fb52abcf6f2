"""Packets lost, by RFC 3550: what counts as a gap, and what as another source, or a sender that began anew."""

from __future__ import annotations

import struct
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.phone.child.streams import Reception
from harness.phone.rtp_log import record

FRAME_S = 0.02
MAX_DROPOUT = 3000  # RFC 3550 appendix A.1


class Wire:
    """Sends packets to a reception, one each 20 ms."""

    def __init__(self) -> None:
        self.reception = Reception()
        self.now = 100.0

    def send(self, ssrc: int, sequences: Iterable[int], *, late: float = 0.0) -> None:
        for sequence in sequences:
            header = struct.pack("!BBHII", 0x80, 0, sequence & 0xFFFF, (sequence * 160) & 0xFFFFFFFF, ssrc)
            self.reception.take(record(self.now + late, header))
            self.now += FRAME_S

    def told(self, *names: str) -> list[int]:
        return [self.reception.counts(0)[name] for name in names]


@pytest.fixture
def wire() -> Wire:
    return Wire()


def test_a_stream_without_gaps_over_the_turn_of_its_numbers(wire: Wire) -> None:
    wire.send(1, range(65000, 67000))
    assert wire.told("rx_lost", "rx_reordered", "rx_duplicated") == [0, 0, 0]
    assert wire.reception.means.jitter_ms == pytest.approx(0.0, abs=1e-6)


def test_what_comes_twice_fills_no_gap(wire: Wire) -> None:
    """Each packet is sent twice (RFC 7198, bonded lines), the second 30 ms later; a tenth is lost with its second, ten in a row."""
    came = [(FRAME_S * n + late, 65_000 + n) for n in range(1000) if n % 100 < 90 for late in (0.0, 0.03)]
    for at, number in sorted(came):
        wire.now = 100.0 + at
        wire.send(1, [number])
    assert wire.told("rx_lost", "rx_duplicated", "rx_reordered", "rx_bursts") == [90, 900, 0, 9]
    assert wire.reception.means.burst_ms == pytest.approx(200.0)


@given(st.permutations(range(100, 140)), st.sets(st.integers(1, 38)), st.integers(0, 65_535), st.booleans())
def test_in_whatever_order_packets_come_so_many_are_lost_and_in_so_many_bursts(
    order: list[int], lost: set[int], first: int, twice: bool
) -> None:
    """As long as the first comes first and the last comes at all: nothing else tells where a stream begins and ends."""
    wire = Wire()
    numbers = [first + 100, *(first + n for n in order if n > 100 and n - 100 not in lost)]
    wire.send(1, [n for n in numbers for _ in range(1 + twice)])
    wire.send(1, numbers if twice else [])
    assert wire.told("rx_lost", "rx_duplicated") == [len(lost), 2 * len(numbers) if twice else 0]
    bursts = sum(n - 1 not in lost for n in lost)
    assert wire.told("rx_bursts") == [bursts]
    assert wire.reception.means.burst_ms == pytest.approx(20.0 * len(lost) / bursts if lost else 0.0)


@pytest.mark.parametrize("distance", [-30_000, -952, -1, 0, 1, 50, 952, MAX_DROPOUT - 1, 30_000])
def test_another_source_begins_where_it_likes(wire: Wire, distance: int) -> None:
    """After a transfer the agent's phone is heard in the AI's place: a new SSRC (RFC 3550 section 8)."""
    wire.send(1, range(5000, 5128))
    wire.send(2, range(5128 + distance, 5256 + distance))
    assert wire.reception.lost == 0
    assert wire.reception.sources == 2


@pytest.mark.parametrize("distance", [-30_000, 200, 952, MAX_DROPOUT - 1, 30_000])
def test_a_sender_that_began_anew_has_lost_nothing(wire: Wire, distance: int) -> None:
    """An SBC that keeps its SSRC and hands on another party's numbers: more than could have been sent meanwhile."""
    wire.send(1, range(5000, 5128))
    wire.send(1, range(5128 + distance, 5256 + distance))
    assert wire.reception.lost == 0
    assert wire.reception.sources == 2


def test_a_long_silence_on_the_way_is_loss_in_full(wire: Wire) -> None:
    wire.send(1, range(100))
    wire.now += 1000 * FRAME_S
    wire.send(1, range(1100, 1200))
    assert wire.reception.lost == 1000


def test_a_source_that_comes_back_lost_nothing_while_another_was_heard(wire: Wire) -> None:
    """Ringback or music of the platform in between: what the first one sent meanwhile was not for us."""
    wire.send(1, range(100))
    wire.send(2, range(7000, 7100))
    wire.send(1, range(200, 300))
    assert wire.reception.lost == 0
    assert wire.reception.sources == 3


def test_a_stray_packet_changes_nothing(wire: Wire) -> None:
    wire.send(1, range(50))
    wire.send(2, [4711])
    wire.send(1, range(50, 100))
    assert (wire.reception.lost, wire.reception.sources) == (0, 1)


def test_what_is_no_rtp_is_left_out(wire: Wire) -> None:
    for packet in (b"", b"\r\n\r\n", bytes(12), b"\x80\xc8" + bytes(26)):
        wire.reception.take(record(1.0, packet))
    assert wire.reception.sources == 0
    assert wire.reception.lost == 0


def test_jitter_is_that_of_each_source(wire: Wire) -> None:
    for number in range(200):
        wire.send(1, [number], late=0.005 * (number % 2))
    assert wire.reception.means.jitter_ms == pytest.approx(5.0, rel=0.1)
    steady = Wire()
    steady.send(1, range(100))
    steady.send(2, range(40_000, 40_100))
    assert steady.reception.means.jitter_ms == pytest.approx(0.0, abs=1e-6)


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 400)), max_size=5), st.sampled_from([160, 240, 400]))
def test_digits_are_no_jitter(digits: list[tuple[int, int]], every: int) -> None:
    """RFC 4733 section 2.2.1: all packets of one event have the time of its beginning, which who listens for tones knows later."""
    reception, sequence, stamp = Reception(), 0, 0
    for updates, later in [(0, 0), *digits]:
        for number in range(updates):
            header = struct.pack("!BBHII", 0x80, 101, sequence, (stamp - later) & 0xFFFFFFFF, 1)
            reception.take(record(100 + (stamp + number * every) / 8000, header))
            sequence += 1
        stamp += updates * every
        for _ in range(40):
            reception.take(record(100 + stamp / 8000, struct.pack("!BBHII", 0x80, 0, sequence, stamp, 1)))
            sequence, stamp = sequence + 1, stamp + 160
    assert reception.means.jitter_ms == pytest.approx(0.0, abs=1e-6)


@given(st.integers(0, 2**32 - 1), st.integers(0, 20))
def test_timestamps_that_begin_anew_are_no_jitter(jump: int, lost: int) -> None:
    """As a PBX sends them that puts another party on the line, and keeps SSRC and sequence numbers."""
    told = []
    for first in (0, jump):
        wire = Wire()
        wire.send(1, range(50))
        wire.now += lost * FRAME_S
        for sequence in range(50 + lost, 100 + lost):
            stamp = (first + sequence * 160) & 0xFFFFFFFF
            wire.reception.take(record(wire.now, struct.pack("!BBHII", 0x80, 0, sequence, stamp, 1)))
            wire.now += FRAME_S
        told.append(wire.reception)
    plain, jumped = told
    assert jumped.means.burst_ms == pytest.approx(plain.means.burst_ms, abs=1000)
    assert jumped.means.jitter_ms < 1000
    if 16_000 < jump < 2**32 - 16_000:
        assert jumped.means.jitter_ms == pytest.approx(plain.means.jitter_ms, abs=0.1)


@given(
    st.lists(st.tuples(st.sampled_from(["sent", "stood", "anew"]), st.floats(0, 30), st.integers(1, 20)), max_size=4),
    st.sampled_from([80, 160, 240, 480]),
    st.integers(0, 2**32 - 1),
)
def test_what_is_missing_is_so_many_packets_however_long_the_silence_around_them(
    breaks: list[tuple[str, float, int]], ticks: int, stamp: int
) -> None:
    """A hold or a silence whose timestamps go on, stood still, or begin anew (RFC 3550 section 5.1), and packets lost at its end."""
    reception, at, sequence = Reception(), 100.0, 65_500
    for manner, silence_s, lost in [("sent", 0.0, 0), *breaks]:
        at += silence_s + lost * ticks / 8000
        sequence += lost
        stamp += {"sent": int(silence_s * 8000), "stood": 0, "anew": 1_000_000_007}[manner] + lost * ticks
        for _ in range(40):
            header = struct.pack("!BBHII", 0x80, 0, sequence & 0xFFFF, stamp & 0xFFFFFFFF, 1)
            reception.take(record(at, header))
            at, sequence, stamp = at + ticks / 8000, sequence + 1, stamp + ticks
    assert reception.lost == sum(lost for _, _, lost in breaks)
    assert reception.means.burst_ms * reception.counts(0)["rx_bursts"] == pytest.approx(reception.lost * ticks / 8)


def test_packets_of_another_codec_are_counted_apart() -> None:
    reception = Reception()
    # With its marker, comfort noise, telephone-event, RTCP.
    for number, kind in enumerate((0, 0x80, 8, 8, 13, 101, 72)):
        reception.take(record(number * FRAME_S, struct.pack("!BBHII", 0x80, kind, number, number * 160, 1)))
    assert reception.of_other_types(0) == 2
    assert reception.of_other_types(8) == 2
