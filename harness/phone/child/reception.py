"""What of an RTP stream arrived, counted as RFC 3550 has it: each source apart, and each run of its sequence numbers.

pjmedia counts one sequence whatever the SSRC says. Where an SBC puts another party on the line (after a transfer, on
hold), the new source's numbers begin anywhere (RFC 3550 section 5.1), and pjmedia takes the distance for loss.
"""

from __future__ import annotations

import struct
from collections import Counter
from typing import Final

from harness.phone.child.flow import Flow

#: RFC 3550 appendix A.1.
MAX_DROPOUT: Final = 3000
MAX_MISORDER: Final = 100
#: Nobody sends more packets of speech a second (RFC 3551 section 4.2: 20 ms each by default, 10 ms at times).
_MOST_A_SECOND: Final = 100

#: What a network does not delay a packet by; timestamps that say so were set anew, under the same SSRC, or stood still in a hold.
#: (A stall on the way that is longer looks the same; of that what follows counts, which comes all at once.)
_NO_JITTER_S: Final = 1.0
#: How much audio a packet holds by default, and at most (RFC 3551 section 4.2).
_PACKET_S, _MOST_A_PACKET_S = 0.02, 0.2

_STATIC: Final = 96  # payload types below are assigned (RFC 3551 section 6), those above by each SDP
_COMFORT_NOISE: Final = (13, 19)  # RFC 3389; 19 was used for it before

_RTCP: Final = range(64, 96)  # as payload types; it may come to the same port (RFC 5761 section 4)
_HEADER = struct.Struct("!BBHII")
_MODULUS: Final = 1 << 16


class Reception:
    """One leg's incoming stream. ``rate`` is the RTP clock's (8000 for G.711, and for G.722 by RFC 3551 section 4.5.2)."""

    def __init__(self, rate: int = 8000) -> None:
        self.rate = rate
        self.flow = Flow()
        self.reordered = self.duplicated = 0
        self._types: Counter[int] = Counter()
        self.bursts = 0  #: gaps of one packet or more
        self.sources = 0  #: how often another source, or another run of the same one, took over; the first counts
        self._ssrc = -1
        self._base = self._highest = 0  # of the run, the latter extended over its 16 bits
        self._received = 0
        self._at = 0.0
        self._lost_before = 0  # in runs that have ended
        self._next: tuple[int, int] | None = None  # what would make a run of a packet that fits into none
        self._last: tuple[int, float] | None = None  # timestamp of the last packet, and when it came
        self._jitter = self._jitters = 0.0
        self._measured = 0
        self._packet_s = _PACKET_S  # how much audio each packet holds, by the timestamps of two in sequence
        self._missing_ms = 0.0

    def take(self, at: float, packet: bytes) -> None:
        """A packet arrived at monotonic time ``at``. What is no RTP is left out."""
        if len(packet) < _HEADER.size or packet[0] >> 6 != 2 or packet[1] & 0x7F in _RTCP:
            return
        self._types[packet[1] & 0x7F] += 1
        _, _, sequence, timestamp, ssrc = _HEADER.unpack_from(packet)
        follows = bool(self.sources) and ssrc == self._ssrc and (sequence - self._highest) % _MODULUS == 1
        if not self.sources:
            self._begin(ssrc, sequence, received=1)
        elif ssrc != self._ssrc:
            if not self._begins(ssrc, sequence):
                return
        else:
            ahead = (sequence - self._highest) % _MODULUS
            if ahead == 0:
                self.duplicated += 1
                return
            if ahead > _MODULUS - MAX_MISORDER:
                self.reordered += 1
                self._received += 1
                return
            if ahead <= self._permissible(at):
                self._highest += ahead
                self._received += 1
                if ahead > 1:  # each as long as the others, whatever silence or hold their timestamps span besides
                    self.bursts += 1
                    self._missing_ms += 1000 * self._packet_s * (ahead - 1)
            elif not self._begins(ssrc, sequence):
                return
        self._at = at
        self.flow.take(at, packet, follows=follows)
        self._measure(at, timestamp, follows=follows)

    def counts(self, agreed: int) -> dict[str, int]:
        """By their names in :class:`~harness.events.RtpStatistics`; ``agreed`` is the payload type that was negotiated."""
        return {
            "rx_lost": self.lost,
            "rx_reordered": self.reordered,
            "rx_duplicated": self.duplicated,
            "rx_bursts": self.bursts,
            "rx_other_type": self.of_other_types(agreed),
            "rx_spanned_ms": round(self.flow.spanned_ms),
            "rx_filled_ms": round(self.flow.filled_ms),
        }

    def of_other_types(self, agreed: int) -> int:
        """Packets of another codec than the one with that payload type: the stream has no use for them."""
        return sum(
            count for kind, count in self._types.items() if kind < _STATIC and kind not in (agreed, *_COMFORT_NOISE)
        )

    @property
    def lost(self) -> int:
        """Packets expected and not received, over all runs (RFC 3550 appendix A.3)."""
        return self._lost_before + self._lost_now

    @property
    def burst_ms(self) -> float:
        """How long a gap was, on average."""
        return self._missing_ms / self.bursts if self.bursts else 0.0

    @property
    def jitter_ms(self) -> float:
        """The interarrival jitter (RFC 3550 appendix A.8), its mean over all packets."""
        return 1000 * self._jitters / self._measured if self._measured else 0.0

    @property
    def _lost_now(self) -> int:
        return max(0, self._highest - self._base + 1 - self._received) if self.sources else 0

    def _permissible(self, at: float) -> int:
        # The RFC allows a gap of a minute whenever it shows; one that is longer than the time that passed is none.
        return min(MAX_DROPOUT, MAX_MISORDER + int((at - self._at) * _MOST_A_SECOND))

    def _begins(self, ssrc: int, sequence: int) -> bool:
        """Whether a packet out of any run begins one: the second in sequence does (RFC 3550 appendix A.1)."""
        if self._next != (ssrc, sequence):
            self._next = (ssrc, (sequence + 1) % _MODULUS)
            return False
        self._begin(ssrc, sequence - 1, received=2)
        return True

    def _begin(self, ssrc: int, base: int, received: int) -> None:
        self._lost_before += self._lost_now
        self.sources += 1
        self._ssrc, self._base, self._highest = ssrc, base, base + received - 1
        self._received = received
        self._next = self._last = None
        self._jitter = 0.0

    def _measure(self, at: float, timestamp: int, *, follows: bool) -> None:
        before, self._last = self._last, (timestamp, at)
        if before is None or before[0] == timestamp:  # the packets of one digit share a timestamp (RFC 4733)
            return
        came_s, sent_s = at - before[1], _apart(before[0], timestamp) / self.rate
        if follows and 0 < sent_s <= _MOST_A_PACKET_S:
            self._packet_s = sent_s
        if _is_anew(sent_s, came_s):
            return
        difference = abs(came_s - sent_s)
        self._jitter += (difference - self._jitter) / 16
        self._jitters += self._jitter
        self._measured += 1


def _is_anew(sent_s: float, came_s: float) -> bool:
    """Whether a sender began its timestamps anew between two packets, as one does that puts another party on the line."""
    return abs(sent_s - came_s) > _NO_JITTER_S


def _apart(earlier: int, later: int) -> int:
    """From one timestamp to another, over the turn of 32 bits."""
    return (later - earlier + (1 << 31)) % (1 << 32) - (1 << 31)
