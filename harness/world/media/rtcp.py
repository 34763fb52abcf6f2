"""RTCP sender and receiver reports (RFC 3550 section 6): what a leg has sent, and what it received and lost."""

from __future__ import annotations

import random
import struct
import time
from collections.abc import Iterator
from typing import Final

CLOCK: Final = 8000  #: RTP timestamps a second, of G.711
_SR, _RR, _SDES = 200, 201, 202
_RTP = struct.Struct("!BBHII")
_BLOCK = struct.Struct("!IIIIII")
_SENDER = struct.Struct("!QIII")
_EPOCH = 2_208_988_800  # seconds from 1900, where NTP begins, to 1970
_AT_ONCE = 64  # packets counted together: in one go they cost a third
_MOST_MISORDER = 1000  # packets; what is further off has begun anew (appendix A.1)


class _Source:
    """The reception of one source, counted as in appendices A.1, A.3 and A.8."""

    def __init__(self, ssrc: int, sequence: int) -> None:
        self.ssrc = ssrc
        self._base = self._highest = sequence
        self._received = self._jitter = 0
        self._transit: int | None = None
        self._before = (0, 0)  # expected and received, at the last report
        self.last_sr = 0
        self.last_sr_at = 0.0

    def packet(self, sequence: int, timestamp: int, now: float) -> None:
        ahead = (sequence - self._highest) & 0xFFFF
        if _MOST_MISORDER < ahead < 0x10000 - _MOST_MISORDER:
            self._base = self._highest = sequence
            self._received, self._before, self._transit = 0, (0, 0), None
        elif ahead < 0x8000:
            self._highest += ahead
        self._received += 1
        transit = (round(now * CLOCK) - timestamp) & 0xFFFFFFFF
        if self._transit is not None:
            change = (transit - self._transit) & 0xFFFFFFFF
            self._jitter += min(change, 0x100000000 - change) - (self._jitter + 8 >> 4)
        self._transit = transit

    def block(self, now: float) -> bytes:
        """What a receiver says of one source (section 6.4.1)."""
        expected = self._highest - self._base + 1
        new_expected, new_received = expected - self._before[0], self._received - self._before[1]
        self._before = (expected, self._received)
        lost = new_expected - new_received
        fraction = min(255, (lost << 8) // new_expected) if new_expected > 0 and lost > 0 else 0
        delay = round((now - self.last_sr_at) * 65536) & 0xFFFFFFFF if self.last_sr else 0
        lost_in_all = max(-0x800000, min(0x7FFFFF, expected - self._received)) & 0xFFFFFF
        highest = self._highest & 0xFFFFFFFF
        return _BLOCK.pack(self.ssrc, fraction << 24 | lost_in_all, highest, self._jitter >> 4, self.last_sr, delay)


class Reporter:
    """One leg's reports, made from the packets that it sends and receives."""

    def __init__(self, name: str) -> None:
        self._name = name.encode()[:255]
        self._own_ssrc = random.getrandbits(32)  # until it sends, and so has one
        self._source: _Source | None = None
        self._arrived: list[tuple[bytes, float]] = []  # and not counted yet
        self._sent = self._octets = self._sent_before = 0
        self._last, self._last_at = b"", 0.0  # packet sent
        self._heard = False  # since the last report

    @property
    def _ssrc(self) -> int:
        return int.from_bytes(self._last[8:12], "big") if self._last else self._own_ssrc

    def sent(self, data: bytes, now: float) -> None:
        """Count an RTP packet that was sent."""
        if len(data) < _RTP.size:
            return
        self._last, self._last_at = data, now
        self._sent += 1
        self._octets += len(data) - _RTP.size

    def received(self, data: bytes, now: float) -> None:
        """Count an RTP packet that was received. Of several sources, the latest is reported."""
        self._arrived.append((data, now))
        if len(self._arrived) >= _AT_ONCE:
            self._count()

    def _count(self) -> None:
        for data, now in self._arrived:
            if len(data) < _RTP.size:
                continue
            _, _, sequence, timestamp, ssrc = _RTP.unpack_from(data)
            if self._source is None or self._source.ssrc != ssrc:
                self._source = _Source(ssrc, sequence)
            self._source.packet(sequence, timestamp, now)
            self._heard = True
        self._arrived.clear()

    def control(self, data: bytes, now: float) -> None:
        """Take an RTCP packet that was received: its sender report tells when the source sent it."""
        self._count()
        for kind, body in _parts(data):
            if kind == _SR and len(body) >= 4 + _SENDER.size and self._source is not None:
                ssrc, ntp = int.from_bytes(body[:4], "big"), int.from_bytes(body[4:12], "big")
                if ssrc == self._source.ssrc:
                    self._source.last_sr, self._source.last_sr_at = ntp >> 16 & 0xFFFFFFFF, now

    def report(self, now: float) -> bytes:
        """A compound packet: a sender report, or a receiver report where nothing was sent lately, and the CNAME."""
        self._count()
        block = self._source.block(now) if self._source is not None and self._heard else b""
        self._heard = False
        ssrc = self._ssrc.to_bytes(4, "big")
        if self._sent > self._sent_before:
            sent = int.from_bytes(self._last[4:8], "big")
            timestamp = (sent + round((now - self._last_at) * CLOCK)) & 0xFFFFFFFF
            own = _SENDER.pack(_ntp(), timestamp, self._sent & 0xFFFFFFFF, self._octets & 0xFFFFFFFF)
            first = _packet(_SR, bool(block), ssrc + own + block)
        else:
            first = _packet(_RR, bool(block), ssrc + block)
        self._sent_before = self._sent
        item = b"\x01" + bytes((len(self._name),)) + self._name + b"\x00"
        chunk = ssrc + item + b"\x00" * (-len(item) % 4)
        return first + _packet(_SDES, 1, chunk)


def interval(least: float, dice: random.Random) -> float:
    """Seconds to the next report: randomised, so that legs do not speak at once (section 6.3.1)."""
    return least * dice.uniform(0.5, 1.5)


def _parts(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and body of each packet of a compound; what is cut off ends it (appendix A.2)."""
    at = 0
    while at + 4 <= len(data) and data[at] >> 6 == 2:
        end = at + 4 + 4 * int.from_bytes(data[at + 2 : at + 4], "big")
        if end > len(data):
            return
        yield data[at + 1], data[at + 4 : end]
        at = end


def _packet(kind: int, count: int, body: bytes) -> bytes:
    return struct.pack("!BBH", 0x80 | count, kind, len(body) // 4) + body


def _ntp() -> int:
    seconds, rest = divmod(time.time_ns(), 1_000_000_000)
    return (seconds + _EPOCH) << 32 | (rest << 32) // 1_000_000_000
