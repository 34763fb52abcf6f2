"""Receiver reports, as RFC 3550 section 6.4 lays them out."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.phone.child.streams import Block, packets_received, reports

OURS = 0x1234


def block(ssrc: int = OURS, fraction: int = 0, lost: int = 0, highest: int = 100) -> bytes:
    return struct.pack("!IIIIII", ssrc, fraction << 24 | lost & 0xFFFFFF, highest, 8, 0, 0)


def report(kind: int, *blocks: bytes, by: int = 9) -> bytes:
    info = b"\0" * 20 if kind == 200 else b""
    words = (8 + len(info) + sum(map(len, blocks))) // 4 - 1
    return struct.pack("!BBHI", 0x80 | len(blocks), kind, words, by) + info + b"".join(blocks)


SDES = struct.pack("!BBHI", 0x81, 202, 2, 9) + b"\x01\x02ab\0\0\0\0"[:4]


@pytest.mark.parametrize("kind", [200, 201])
def test_the_report_block_for_our_stream_is_found(kind: int) -> None:
    found = reports(
        report(kind, block(7), block(fraction=64, lost=5, highest=0x10002)) + SDES, OURS
    )
    assert found == {9: Block(0.25, 5, 0x10002, 8)}


def test_each_reporting_source_is_listed_once() -> None:
    """RFC 3550 section 6.1: who hears more than 31 sources sends a second report; section 6.4.1:
    another hears none.
    """
    compound = report(200, *map(block, range(31))) + report(201, block(lost=5)) + report(200, by=10)
    assert reports(compound, OURS) == {9: Block(0.0, 5, 100, 8), 10: None}
    assert reports(report(201, block(lost=5)) + report(201, block(7)), OURS) == {
        9: Block(0.0, 5, 100, 8)
    }


@given(st.binary(max_size=80))
def test_any_octets_are_parsed_or_ignored(octets: bytes) -> None:
    for packet in (octets, report(201, block()) + octets, b"\x81\xc9" + octets):
        assert len(reports(packet, OURS)) <= len(packet) // 8


@given(st.integers(1, 100))
def test_a_truncated_report_is_ignored(left: int) -> None:
    whole = report(200, block())
    assert reports(whole[:-left], OURS) == {}


@pytest.mark.parametrize(
    ("first", "highest", "lost", "count"),
    [
        (100, 199, 0, 100),
        (100, 199, 10, 90),
        (65530, 0x10000 + 9, 0, 16),  # our numbers turned, and it counted that
        (65530, 9, 0, 16),  # it began to listen after the turn
        (100, 99, 0, 0),
        (100, 101, 5, 0),
    ],
)
def test_packets_received(first: int, highest: int, lost: int, count: int) -> None:
    assert packets_received(first, Block(0.0, lost, highest, 0)) == count
