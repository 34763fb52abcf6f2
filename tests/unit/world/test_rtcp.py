"""RTCP of the world's legs: what they report is what happened to their packets."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.world.media.rtcp import ReportBlock, Reporter, interval
from harness.world.media.rtp import Packet

FRAME, SSRC = 160, 0x1234ABCD


def blocks_of(report: bytes) -> list[ReportBlock]:
    """All report blocks of a compound packet (RFC 3550 section 6.4)."""
    found, at = [], 0
    while at < len(report):
        begin = at + {200: 28, 201: 8}.get(report[at + 1], 0)
        count = report[at] & 31 if begin > at else 0
        found += [ReportBlock.unpack(report, begin + 24 * index) for index in range(count)]
        at += 4 + 4 * int.from_bytes(report[at + 2 : at + 4], "big")
    return found


def packet(number: int, *, start: int = 0, ssrc: int = SSRC) -> bytes:
    return bytes(Packet(0, (start + number) & 0xFFFF, (start + number) * FRAME & 0xFFFFFFFF, ssrc, b"\xff" * FRAME))


@given(
    start=st.integers(0, 0xFFFF),
    count=st.integers(1, 400),
    data=st.data(),
)
def test_a_report_counts_what_was_lost(start: int, count: int, data: st.DataObject) -> None:
    """Whatever is lost after the first and before the last packet, over the wrap of sequence numbers, too."""
    lost = data.draw(st.sets(st.integers(1, count), max_size=count - 1)) if count > 1 else set()
    lost.discard(count)
    reporter = Reporter("leg")
    for number in range(count + 1):
        if number not in lost:
            reporter.received(packet(number, start=start), number * 0.02)
    (block,) = blocks_of(reporter.report(count * 0.02))
    assert (block.ssrc, block.lost) == (SSRC, len(lost))
    assert block.fraction_lost == (len(lost) << 8) // (count + 1)
    assert block.highest & 0xFFFF == (start + count) & 0xFFFF
    assert block.jitter == 0, "what comes in time has none"


def test_who_hears_nothing_reports_nothing() -> None:
    """The sender of what never arrived learns just that: a report without a block about it (section 6.4.1)."""
    reporter = Reporter("leg")
    reporter.sent(packet(0, ssrc=7), 0.0)
    report = reporter.report(0.1)
    assert report[1] == 200
    assert blocks_of(report) == []
    reporter.received(packet(0), 0.2)
    assert len(blocks_of(reporter.report(0.3))) == 1
    assert blocks_of(reporter.report(0.4)) == [], "nothing since the last report"


def test_who_has_sent_nothing_lately_is_a_receiver() -> None:
    reporter = Reporter("leg")
    assert reporter.report(0.0)[1] == 201
    reporter.sent(packet(0), 0.1)
    assert reporter.report(0.2)[1] == 200
    assert reporter.report(0.3)[1] == 201


def test_both_ends_learn_of_each_other() -> None:
    """A hears all of B, B two of three of A; the delay since the last sender report lets A work out the round trip."""
    a, b = Reporter("a"), Reporter("b")
    for number in range(301):
        now = number * 0.02
        for source, target, ssrc, arrives in ((a, b, 1, number % 3 != 1), (b, a, 2, True)):
            source.sent(packet(number, ssrc=ssrc), now)
            if arrives:
                target.received(packet(number, ssrc=ssrc), now)
    b.control(a.report(6.0), 6.0)
    assert b.told is not None
    assert (b.told.ssrc, b.told.lost) == (2, 0)
    a.control(b.report(6.5), 6.5)
    assert a.told is not None
    assert (a.told.ssrc, a.told.lost) == (1, 100)
    assert a.told.last_sr
    assert a.told.delay == round(0.5 * 65536)


def test_a_sender_report_right_after_the_first_packet_is_taken_note_of() -> None:
    a, b = Reporter("a"), Reporter("b")
    b.sent(packet(0, ssrc=2), 0.0)
    a.received(packet(0, ssrc=2), 0.0)
    a.control(b.report(0.5), 0.5)
    (block,) = blocks_of(a.report(1.0))
    assert block.last_sr
    assert block.delay == round(0.5 * 65536)


def test_late_packets_make_jitter() -> None:
    reporter, dice = Reporter("leg"), random.Random(1)
    for number in range(200):
        reporter.received(packet(number), number * 0.02 + dice.choice([0.0, 0.03]))
    (block,) = blocks_of(reporter.report(4.0))
    assert 60 < block.jitter < 240, "some 15 ms of 8 timestamps each"


def test_a_source_that_begins_anew_is_counted_anew() -> None:
    reporter = Reporter("leg")
    for number in [*range(10), *range(20_000, 20_010)]:
        reporter.received(packet(number), 0.0)
    (block,) = blocks_of(reporter.report(0.1))
    assert block.lost == 0
    reporter.received(packet(5, ssrc=99), 0.2)
    assert [b.ssrc for b in blocks_of(reporter.report(0.3))] == [99]


@given(st.binary(max_size=200))
def test_any_octets_are_survived(data: bytes) -> None:
    reporter = Reporter("leg")
    reporter.control(data, 0.0)
    reporter.received(data, 0.0)
    reporter.sent(data, 0.0)
    reporter.control(b"\x81\xc9\x00\x07" + data, 0.0)
    assert reporter.report(1.0)[0] >> 6 == 2


def test_intervals_are_randomised() -> None:
    drawn = [interval(5.0, random.Random(seed)) for seed in range(200)]
    assert min(drawn) >= 2.5
    assert max(drawn) <= 7.5
    assert max(drawn) - min(drawn) > 4
    assert sum(drawn) / len(drawn) == pytest.approx(5.0, rel=0.1)
