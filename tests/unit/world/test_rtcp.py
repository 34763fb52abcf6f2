"""RTCP of the world's legs: what they report is what happened to their packets."""

from __future__ import annotations

import struct
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from harness.world.media.rtp import Packet, Reporter

FRAME, SSRC = 160, 0x1234ABCD


class ReportBlock(NamedTuple):
    """RFC 3550 section 6.4.1."""

    ssrc: int
    fraction_lost: int
    lost: int
    highest: int
    jitter: int
    last_sr: int
    delay: int


def blocks_of(report: bytes) -> list[ReportBlock]:
    """The report block of the first packet of a compound, if it has one."""
    if not report[0] & 31:
        return []
    ssrc, loss, *rest = struct.unpack_from("!IIIIII", report, {200: 28, 201: 8}[report[1]])
    return [ReportBlock(ssrc, loss >> 24, loss & 0xFFFFFF, *rest)]


def packet(number: int, *, start: int = 0, ssrc: int = SSRC) -> bytes:
    return bytes(
        Packet(
            0,
            (start + number) & 0xFFFF,
            (start + number) * FRAME & 0xFFFFFFFF,
            ssrc,
            b"\xff" * FRAME,
        )
    )


@given(
    start=st.integers(0, 0xFFFF),
    count=st.integers(1, 400),
    data=st.data(),
)
def test_a_report_counts_what_was_lost(start: int, count: int, data: st.DataObject) -> None:
    """Whatever is lost after the first and before the last packet, over the wrap of sequence
    numbers, too.
    """
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
    assert block.jitter == 0, "packets in time have none"


def test_a_silent_source_is_not_reported() -> None:
    """The sender of what never arrived learns just that: a report without a block about it (section
    6.4.1).
    """
    reporter = Reporter("leg")
    reporter.sent(packet(0, ssrc=7), 0.0)
    report = reporter.report(0.1)
    assert report[1] == 200
    assert blocks_of(report) == []
    reporter.received(packet(0), 0.2)
    assert len(blocks_of(reporter.report(0.3))) == 1
    last = reporter.report(0.4)
    assert blocks_of(last) == [], "nothing since the last report"
    assert last[1] == 201, "nothing was sent lately"
