"""Received RTP as RFC 3550 counts it: gaps, other sources, jitter, and how much of the time the
audio fills.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.phone.child.streams import Reception
from harness.phone.rtp_log import record

FRAME_S = 0.02
MAX_DROPOUT = 3000  # RFC 3550 appendix A.1
MARKER = 0x80


def packet(number: int, stamp: int, kind: int = 0, ssrc: int = 7, octets: int = 0) -> bytes:
    return struct.pack("!BBHII", 0x80, kind, number & 0xFFFF, stamp & 0xFFFFFFFF, ssrc) + bytes(
        octets
    )


class Stream:
    """Packets of 20 ms that arrive at a reception."""

    def __init__(self) -> None:
        self.reception, self.now, self.number = Reception(), 100.0, 0

    def come(self, ssrc: int, numbers: Iterable[int], *, late: float = 0.0) -> None:
        """Packets with these numbers arrive one after the other."""
        for number in numbers:
            self.reception.take(record(self.now + late, packet(number, number * 160, ssrc=ssrc)))
            self.now += FRAME_S

    def goes_on(
        self, count: int, every_ms: float = 20.0, *, kind: int = 0, octets: int = 160
    ) -> None:
        """The next packets arrive, with the timestamps of their time."""
        for _ in range(count):
            self.now += every_ms / 1000
            self.number += 1
            self.reception.take(
                record(self.now, packet(self.number, int(self.now * 8000), kind, octets=octets))
            )

    def counted(self, *names: str) -> list[int]:
        return [self.reception.counts(0)[name] for name in names]

    @property
    def filled(self) -> float:
        filled, spanned = self.counted("rx_filled_ms", "rx_spanned_ms")
        return filled / spanned


@pytest.fixture
def stream() -> Stream:
    return Stream()


@given(
    st.permutations(range(100, 140)),
    st.sets(st.integers(1, 38)),
    st.integers(0, 65_535),
    st.booleans(),
)
def test_loss_and_bursts_do_not_depend_on_the_order_of_arrival(
    order: list[int], lost: set[int], first: int, twice: bool
) -> None:
    """As long as the first packet comes first and the last one comes: only they show where a stream
    begins and ends.
    """
    stream = Stream()
    numbers = [first + 100, *(first + n for n in order if n > 100 and n - 100 not in lost)]
    stream.come(1, [n for n in numbers for _ in range(1 + twice)])
    stream.come(1, numbers if twice else [])
    bursts = sum(n - 1 not in lost for n in lost)
    duplicated = 2 * len(numbers) if twice else 0
    assert stream.counted("rx_lost", "rx_duplicated", "rx_bursts") == [
        len(lost),
        duplicated,
        bursts,
    ]
    assert stream.reception.means.burst_ms == pytest.approx(
        20.0 * len(lost) / bursts if lost else 0.0
    )


@pytest.mark.parametrize("ssrc", [1, 2], ids=["same-source", "new-source"])
@pytest.mark.parametrize("distance", [-30_000, 200, 952, MAX_DROPOUT - 1, 30_000])
def test_a_new_source_counts_no_loss(stream: Stream, distance: int, ssrc: int) -> None:
    """After a transfer: a new SSRC (RFC 3550 section 8), or an SBC that keeps its SSRC and passes
    on another party's numbers.
    """
    stream.come(1, range(5000, 5128))
    stream.come(ssrc, range(5128 + distance, 5256 + distance))
    assert (stream.reception.lost, stream.reception.sources) == (0, 2)


def test_stray_packets_and_non_rtp_are_ignored(stream: Stream) -> None:
    stream.come(1, range(50))
    stream.come(2, [4711])
    for octets in (b"", b"\r\n\r\n", bytes(12), b"\x80\xc8" + bytes(26)):
        stream.reception.take(record(stream.now, octets))
    stream.come(1, range(50, 100))
    assert (stream.reception.lost, stream.reception.sources) == (0, 1)


def timed(delays_ms: Iterable[float]) -> int:
    """How many of these packets, each under way for so long, come too late."""
    come = sorted((100.0 + n * FRAME_S + ms / 1000, n) for n, ms in enumerate(delays_ms))
    reception = Reception()
    for at, n in come:
        reception.take(record(at, packet(n, n * 160, octets=160)))
    return reception.counts(0)["rx_late"]


def test_packets_that_come_later_than_a_jitter_buffer_takes_are_late() -> None:
    dice = random.Random(1)
    jitter = [200 * dice.random() for _ in range(200)]
    late = timed(jitter)
    assert sum(ms > 130 for ms in jitter) <= late <= sum(ms > 100 for ms in jitter)
    assert timed(ms / 2 for ms in jitter) == 0


@pytest.mark.parametrize("step_ms", [300.0, 1500.0])
def test_delay_that_changes_for_good_makes_no_packet_late(step_ms: float) -> None:
    """The stream goes another way, or the sender paused its timestamps: a jitter buffer follows."""
    assert timed([500.0] * 60 + [500.0 + step_ms] * 60) == 0
    assert timed(5.0 * n for n in range(200)) == 0


def test_packet_is_late_behind_those_that_came_in_turn() -> None:
    assert timed([50.0] * 40 + [180.0] + [50.0] * 40) == 1
    assert timed([50.0] * 40 + [140.0] + [50.0] * 40) == 0


def test_jitter_is_measured_per_source(stream: Stream) -> None:
    for number in range(200):
        stream.come(1, [number], late=0.005 * (number % 2))
    assert stream.reception.means.jitter_ms == pytest.approx(5.0, rel=0.1)
    steady = Stream()
    steady.come(1, range(100))
    steady.come(2, range(40_000, 40_100))
    assert steady.reception.means.jitter_ms == pytest.approx(0.0, abs=1e-6)


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(0, 400)), max_size=5),
    st.sampled_from([160, 240, 400]),
)
def test_digits_add_no_jitter(digits: list[tuple[int, int]], every: int) -> None:
    """RFC 4733 section 2.2.1: all packets of one event have the time of its beginning."""
    reception, sequence, stamp = Reception(), 0, 0
    for updates, later in [(0, 0), *digits]:
        for number in range(updates):
            at = 100 + (stamp + number * every) / 8000
            reception.take(record(at, packet(sequence, stamp - later, 101, 1)))
            sequence += 1
        stamp += updates * every
        for _ in range(40):
            reception.take(record(100 + stamp / 8000, packet(sequence, stamp, ssrc=1)))
            sequence, stamp = sequence + 1, stamp + 160
    assert reception.means.jitter_ms == pytest.approx(0.0, abs=1e-6)


@given(
    st.lists(
        st.tuples(st.sampled_from(["sent", "stood", "anew"]), st.floats(0, 30), st.integers(1, 20)),
        max_size=4,
    ),
    st.sampled_from([80, 160, 240, 480]),
    st.integers(0, 2**32 - 1),
)
def test_missing_audio_does_not_depend_on_the_silence_around_it(
    breaks: list[tuple[str, float, int]], ticks: int, stamp: int
) -> None:
    """A hold or silence whose timestamps go on, stand still, or begin anew (RFC 3550 section 5.1),
    and packets lost at its end.
    """
    reception, at, sequence = Reception(), 100.0, 65_500
    for how, silence_s, lost in [("sent", 0.0, 0), *breaks]:
        at += silence_s + lost * ticks / 8000
        sequence += lost
        stamp += {"sent": int(silence_s * 8000), "stood": 0, "anew": 1_000_000_007}[
            how
        ] + lost * ticks
        for _ in range(40):
            reception.take(record(at, packet(sequence, stamp, ssrc=1)))
            at, sequence, stamp = at + ticks / 8000, sequence + 1, stamp + ticks
    assert reception.lost == sum(lost for _, _, lost in breaks)
    assert reception.means.burst_ms * reception.counts(0)["rx_bursts"] == pytest.approx(
        reception.lost * ticks / 8
    )


def test_restarted_timestamps_add_no_jitter(stream: Stream) -> None:
    """As a PBX sends them that connects another party and keeps SSRC and sequence numbers."""
    stream.come(1, range(50))
    for number in range(50, 100):
        stream.reception.take(
            record(stream.now, packet(number, number * 160 + 1_000_000_007, ssrc=1))
        )
        stream.now += FRAME_S
    assert stream.reception.means.jitter_ms == pytest.approx(0.0, abs=0.1)


@pytest.mark.parametrize(
    ("sources", "turns"),
    [("ab" * 50, 98), ("a" * 50 + "b" * 50, 0), ("a" * 30 + "b" * 30 + "a" * 40, 1)],
)
def test_sources_that_take_turns_are_counted(stream: Stream, sources: str, turns: int) -> None:
    """A party that is put on the line, and another again, is no second source at the same time."""
    for number, source in enumerate(sources):
        sent = packet(number, number * 160, ssrc=ord(source), octets=160)
        stream.reception.take(record(number * FRAME_S, sent))
    assert stream.counted("rx_turns", "rx_still") == [turns, 0]


@pytest.mark.parametrize(
    ("numbers", "kind", "still"),
    [(range(50), 0, 49), (range(50), 101, 0), ([n for n in range(50) for _ in "12"], 0, 49)],
)
def test_audio_whose_timestamps_stand_still_is_counted(
    stream: Stream, numbers: Iterable[int], kind: int, still: int
) -> None:
    """All packets of a digit have one timestamp (RFC 4733 section 2.2.1); each may come twice (RFC
    7198).
    """
    for number in numbers:
        stream.reception.take(
            record(number * FRAME_S, packet(number, 8000, kind, octets=160 if kind == 0 else 4))
        )
    assert stream.counted("rx_turns", "rx_still") == [0, still]


@pytest.mark.parametrize(
    ("kinds", "missing"),
    [([0, 0, 101, 101, 0, 0], {3: 1}), ([0, 0, 0, 101, 101, 0], {1: 0}), ([0] * 6, {3: 0})],
)
def test_what_is_missing_beside_a_digit_is_counted_apart(
    stream: Stream, kinds: list[int], missing: dict[int, int]
) -> None:
    ((left_out, beside),) = missing.items()
    for number, kind in enumerate(kinds):
        if number != left_out:
            size = 4 if kind == 101 else 160
            sent = packet(number, number * 160, kind, octets=size)
            stream.reception.take(record(number * FRAME_S, sent))
    assert stream.counted("rx_lost", "rx_events_missing") == [1, beside]


def test_packets_of_another_codec_are_counted_apart() -> None:
    reception = Reception()
    # With its marker, comfort noise, telephone-event, RTCP.
    for number, kind in enumerate((0, 0x80, 8, 8, 13, 101, 72)):
        reception.take(record(number * FRAME_S, packet(number, number * 160, kind, 1)))
    assert reception.of_other_types(0) == 2
    assert reception.of_other_types(8) == 2


def test_audio_fills_the_time_for_every_packet_length(stream: Stream) -> None:
    stream.goes_on(100)
    stream.goes_on(100, 30.0, octets=240)
    stream.goes_on(100, 10.0, octets=80)
    assert stream.filled == pytest.approx(1.0, abs=0.01)
    assert stream.counted("rx_spanned_ms")[0] == pytest.approx(99 * 20 + 100 * 30 + 100 * 10, abs=1)


@pytest.mark.parametrize(("every", "filled"), [(1, 1.0), (2, 0.5)])
@given(st.integers(), st.sampled_from([0.035, 0.08]))
def test_reordering_does_not_change_how_much_is_filled(
    every: int, filled: float, seed: int, most: float
) -> None:
    """The source sends 20 ms of audio each 20 ms, or each 40."""
    stream, chance = Stream(), random.Random(seed)
    arrivals = [
        (100 + 0.02 * every * number + chance.uniform(0, most), number) for number in range(300)
    ]
    for at, number in sorted(arrivals):
        stream.reception.take(record(at, packet(number, number * 160, octets=160)))
    assert stream.counted("rx_lost", "rx_bursts") == [0, 0]
    assert stream.filled == pytest.approx(filled, abs=0.03)


def test_announced_silence_counts_as_filled(stream: Stream) -> None:
    """RFC 3551 section 4.1: the first packet of a talkspurt has the marker. RFC 3389: comfort noise
    stands for silence.
    """
    for _ in range(20):
        stream.goes_on(10)
        stream.goes_on(1, 150.0, kind=MARKER)
    for _ in range(20):
        stream.goes_on(10)
        stream.goes_on(1, kind=13, octets=1)
        stream.goes_on(1, 150.0)
    assert stream.filled == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("apart_ms", "kind", "lost", "reported"),
    [
        (199.0, 0, 0, False),
        (201.0, 0, 0, True),
        (990.0, 0, 0, True),
        (1001.0, 0, 0, False),  # a hold, another party
        (320.0, MARKER, 0, False),  # announced (RFC 3551 section 4.1)
        (320.0, 13, 0, False),
        (320.0, 0, 16, False),  # the numbers show the loss
    ],
)
def test_an_unannounced_pause_is_reported_once(
    stream: Stream, apart_ms: float, kind: int, lost: int, reported: bool
) -> None:
    stream.goes_on(10)
    before = stream.now
    stream.number += lost
    stream.goes_on(1, apart_ms, kind=kind)
    stream.goes_on(10)
    pauses = stream.reception.take_pauses()
    lengths = [
        round(1000 * (ended - began)) for began, ended in pauses if began == pytest.approx(before)
    ]
    assert lengths == [round(apart_ms)] * reported
    assert stream.reception.take_pauses() == []


def test_lost_packets_do_not_count_as_silence(stream: Stream) -> None:
    for every_ms in (20.0, 40.0):
        for _ in range(20):
            stream.goes_on(3, every_ms)
            stream.number += 3
            stream.now += 3 * every_ms / 1000
    assert stream.reception.lost == 117
    assert stream.filled == pytest.approx(2 / 3, abs=0.01), "40 ms apart for twice the time"


def test_digits_replace_the_audio(stream: Stream) -> None:
    """RFC 4733 section 2.1: events are sent instead of the audio, or beside it."""
    for _ in range(20):
        stream.goes_on(10)
        stream.goes_on(5, 50.0, kind=101, octets=4)
    assert stream.filled == pytest.approx(1.0)


@pytest.mark.parametrize("kind", [96, 111, 3, 18])
def test_a_codec_whose_packets_do_not_show_their_length_is_not_measured(
    stream: Stream, kind: int
) -> None:
    stream.goes_on(50, 80.0, kind=kind)
    assert stream.counted("rx_spanned_ms") == [0]


@given(st.integers(1, 200), st.integers(0, 40))
def test_batches_count_like_single_packets(count: int, torn: int) -> None:
    """More pauses than there is room for, and a truncated last packet."""
    packets = [
        record(0.3 * number, packet(number, 2400 * number, octets=160))
        for number in range(count + 1)
    ]
    together, singly = Reception(), Reception()
    together.take(b"".join(packets) + record(0.3 * (count + 1), bytes(172))[:torn])
    for one in packets:
        singly.take(one)
    assert together.counts(0) == singly.counts(0)
    pauses = together.take_pauses()
    assert pauses == singly.take_pauses()
    assert [round(began / 0.3, 6) for began, _ in pauses] == list(range(count))
