"""Reads the far end's RTCP reports about the phone's stream (RFC 3550 section 6.4)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

_SENDER_REPORT, _RECEIVER_REPORT = 200, 201
_HEADER: Final = struct.Struct("!BBHI")
_SENDER_INFO: Final = 20
_BLOCK: Final = struct.Struct("!IIIIII")  # SSRC, fraction and cumulative loss, highest sequence, jitter, LSR, DLSR
_MODULUS: Final = 1 << 32


@dataclass(frozen=True, slots=True)
class Block:
    """One reception report block."""

    fraction_lost: float
    lost: int  #: negative if duplicates came
    highest: int  #: extended sequence number
    jitter: int  #: in units of the RTP clock


def is_rtcp(packet: bytes) -> bool:
    """Whether a packet is RTCP, which may share RTP's port (RFC 5761 section 4)."""
    return len(packet) >= 8 and packet[0] >> 6 == 2 and 192 <= packet[1] <= 223


def reports(compound: bytes, ssrc: int) -> dict[int, Block | None]:
    """For each reporting source of a compound packet, its block about ``ssrc``, or None.

    A source may need several reports to cover all streams (section 6.1). Malformed data ends the packet (appendix A.2).
    """
    found: dict[int, Block | None] = {}
    at = 0
    while is_rtcp(compound[at:]):
        first, kind, words, reporter = _HEADER.unpack_from(compound, at)
        end = at + 4 * (words + 1)
        if end > len(compound):
            break
        if kind in (_SENDER_REPORT, _RECEIVER_REPORT):
            begin = at + _HEADER.size + (_SENDER_INFO if kind == _SENDER_REPORT else 0)
            count = first & 0x1F
            if begin + count * _BLOCK.size > end:
                break
            blocks = [_BLOCK.unpack_from(compound, begin + number * _BLOCK.size) for number in range(count)]
            on_us = next((_block(block) for block in blocks if block[0] == ssrc), None)
            found[reporter] = on_us or found.get(reporter)
        at = end
    return found


def _block(raw: tuple[int, ...]) -> Block:
    _, loss, highest, jitter, *_ = raw
    lost = loss & 0xFFFFFF
    return Block((loss >> 24) / 256, lost - (1 << 24) if lost >> 23 else lost, highest, jitter)


def received(first: int, block: Block) -> int:
    """The number of received packets of a stream that began with the sequence number ``first`` (appendix A.3)."""
    expected = (block.highest - first + 1) % _MODULUS
    if expected > _MODULUS // 2:  # the far end started after the sequence numbers wrapped, and did not count the wrap
        expected = (expected + (1 << 16)) % _MODULUS
    return max(0, expected - block.lost)
