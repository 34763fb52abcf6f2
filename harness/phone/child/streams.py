"""Counts received RTP as in RFC 3550, separately for each source and each run of its sequence
numbers; counts sent RTP; and reads the far end's RTCP reports about the phone's stream.

pjmedia ignores the SSRC. When an SBC connects another party (after a transfer, on hold), the new
source's numbers begin anywhere (RFC 3550 section 5.1), and pjmedia counts the jump as loss.

Sequence numbers show packets lost on the way (RFC 3550 section 6.4.1), but not packets that were
never sent. An audio source without silence suppression sends all the time (RFC 3551 section 4.1);
one with it begins each talkspurt with a marker, or sends comfort noise (RFC 3389) before silence.
So the share of the stream's time that audio fills is counted too.

C code (``streams.c``; the structures here have its layout) reads the packets, as records of
:func:`harness.phone.rtp_log.record`.
"""

from __future__ import annotations

import ctypes
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from harness.case.events import LONGEST_DROPOUT_S, PACKET_S

_TYPES: Final = 128
# Payload types below are assigned (RFC 3551 section 6), those above by each SDP.
_STATIC: Final = 96
_COMFORT_NOISE: Final = (13, 19)  # RFC 3389; 19 was used for it before
_SEEN: Final = 128
_PAUSES: Final = 64
_TRANSITS: Final = 21


class _Pause(ctypes.Structure):
    _fields_ = (("began", ctypes.c_double), ("ended", ctypes.c_double))


class _Reception(ctypes.Structure):
    _fields_ = (
        ("longest_dropout_ms", ctypes.c_double),
        ("types", ctypes.c_int64 * _TYPES),
        *((name, ctypes.c_int64) for name in ("reordered", "duplicated", "bursts", "sources")),
        *((name, ctypes.c_int64) for name in ("ssrc", "base", "highest", "received")),
        ("seen", ctypes.c_int64 * _SEEN),
        *(
            (name, ctypes.c_int64)
            for name in ("events_missing", "lost_before", "next_ssrc", "next_sequence")
        ),
        ("at", ctypes.c_double),
        ("has_last", ctypes.c_int64),
        ("last_timestamp", ctypes.c_int64),
        ("last_at", ctypes.c_double),
        ("jitter", ctypes.c_double),
        ("jitters", ctypes.c_double),
        ("measured", ctypes.c_int64),
        ("packet_s", ctypes.c_double),
        ("missing_before_ms", ctypes.c_double),
        ("flows", ctypes.c_int64),
        ("flow_type", ctypes.c_int64),
        ("flow_at", ctypes.c_double),
        ("flow_ms", ctypes.c_double),
        ("spanned_ms", ctypes.c_double),
        ("filled_ms", ctypes.c_double),
        *((name, ctypes.c_int64) for name in ("transits", "late", "transit_timestamp")),
        ("transit_at", ctypes.c_double),
        ("transit_ms", ctypes.c_double * _TRANSITS),
        *((name, ctypes.c_int64) for name in ("talks", "talked", "turns", "still")),
        ("still_timestamp", ctypes.c_int64),
        ("pauses", ctypes.c_int64),
        ("pause", _Pause * _PAUSES),
    )


class _Sending(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_int64) for name in ("offered", "sent", "ssrc", "first"))


_library = ctypes.CDLL(str(Path(__file__).with_name("libstreams.so")))
_reception_take = _library.reception_take
_reception_take.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t)
_reception_take.restype = ctypes.c_size_t
_sending_take = _library.sending_take
_sending_take.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t)
_sending_take.restype = None


class Means(NamedTuple):
    """Sums and counts of means, so that several streams can be added."""

    jitters_ms: float = 0.0
    measured: int = 0
    missing_ms: float = 0.0
    bursts: int = 0

    def and_of(self, others: Means) -> Means:
        """The means over both."""
        return Means(
            self.jitters_ms + others.jitters_ms,
            self.measured + others.measured,
            self.missing_ms + others.missing_ms,
            self.bursts + others.bursts,
        )

    @property
    def jitter_ms(self) -> float:
        """The interarrival jitter (RFC 3550 appendix A.8), its mean over all packets."""
        return self.jitters_ms / self.measured if self.measured else 0.0

    @property
    def burst_ms(self) -> float:
        """How long a gap of one packet or more was, on average."""
        return self.missing_ms / self.bursts if self.bursts else 0.0


class Reception:
    """One leg's incoming stream of G.711 or G.722."""

    def __init__(self) -> None:
        self._of = _Reception(
            longest_dropout_ms=1000 * LONGEST_DROPOUT_S, ssrc=-1, next_ssrc=-1, packet_s=PACKET_S
        )
        self._of.talks = self._of.talked = self._of.still_timestamp = -1
        self._at = ctypes.addressof(self._of)
        self._pauses: list[tuple[float, float]] = []

    def take(self, records: bytes) -> None:
        """Count received packets, in order. Packets that are not RTP are ignored."""
        done = _reception_take(self._at, records, len(records))
        while self._of.pauses == _PAUSES:
            self._note_pauses()
            records = records[done:]
            done = _reception_take(self._at, records, len(records))

    def _note_pauses(self) -> None:
        self._pauses += ((pause.began, pause.ended) for pause in self._of.pause[: self._of.pauses])
        self._of.pauses = 0

    def take_pauses(self) -> list[tuple[float, float]]:
        """Take the begin and end of new pauses: not announced, without missing numbers, up to a
        second long.
        """
        self._note_pauses()
        pauses, self._pauses = self._pauses, []
        return pauses

    def counts(self, agreed: int) -> dict[str, int]:
        """The counters, by their names in :class:`~harness.case.events.RtpStatistics`; ``agreed``
        is the negotiated payload type.
        """
        of = self._of
        return {
            "rx_lost": self.lost,
            "rx_reordered": of.reordered,
            "rx_duplicated": of.duplicated,
            "rx_events_missing": of.events_missing,
            "rx_late": of.late,
            "rx_turns": of.turns,
            "rx_still": of.still,
            "rx_bursts": of.bursts,
            "rx_other_type": self.of_other_types(agreed),
            "rx_spanned_ms": round(of.spanned_ms),
            "rx_filled_ms": round(of.filled_ms),
        }

    def of_other_types(self, agreed: int) -> int:
        """Packets of other codecs than the one with the payload type ``agreed``, which the stream
        cannot use.
        """
        types: list[int] = self._of.types[:_STATIC]
        return sum(types) - sum(types[kind] for kind in {agreed, *_COMFORT_NOISE} if kind < _STATIC)

    @property
    def lost(self) -> int:
        """Packets expected but not received, over all runs (RFC 3550 appendix A.3); duplicates do
        not compensate for losses.
        """
        return int(self._of.lost_before) + self._lost_now

    @property
    def means(self) -> Means:
        """The means so far. A gap's length is its number of packets, without any silence or hold
        that it spans.
        """
        of = self._of
        missing_ms = float(of.missing_before_ms) + 1000 * float(of.packet_s) * self._lost_now
        return Means(1000 * float(of.jitters), int(of.measured), missing_ms, int(of.bursts))

    @property
    def _lost_now(self) -> int:
        of = self._of
        return int(of.highest - of.base + 1 - of.received) if of.sources else 0

    @property
    def sources(self) -> int:
        """The number of sources and runs, including the first."""
        return int(self._of.sources)


class Sending:
    """Counts what a leg has sent over a transport."""

    def __init__(self) -> None:
        self._of = _Sending()
        self._at = ctypes.addressof(self._of)

    def take(self, records: bytes) -> None:
        """Count sent packets, in order."""
        _sending_take(self._at, records, len(records))

    @property
    def offered(self) -> int:
        """Packets passed to the transport, sent or not."""
        return int(self._of.offered)

    @property
    def sent(self) -> int:
        """Packets sent by the newest source."""
        return int(self._of.sent)

    @property
    def ssrc(self) -> int:
        """The SSRC of the newest source."""
        return int(self._of.ssrc)

    @property
    def first(self) -> int:
        """The first sequence number of the newest source."""
        return int(self._of.first)


# -- RTCP (RFC 3550 section 6.4)

_SENDER_REPORT, _RECEIVER_REPORT = 200, 201
_HEADER: Final = struct.Struct("!BBHI")
_SENDER_INFO: Final = 20
#: SSRC, fraction and cumulative loss, highest sequence, jitter, LSR, DLSR.
_BLOCK: Final = struct.Struct("!IIIIII")
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

    A source may need several reports to cover all streams (section 6.1). Malformed data ends the
    packet (appendix A.2).
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
            on_us = found.get(reporter)
            for raw in _BLOCK.iter_unpack(compound[begin : begin + count * _BLOCK.size]):
                if raw[0] == ssrc:
                    on_us = _block(raw)
                    break
            found[reporter] = on_us
        at = end
    return found


def _block(raw: tuple[int, ...]) -> Block:
    _, loss, highest, jitter, *_ = raw
    fraction_lost = (loss >> 24) / 256
    lost = loss & 0xFFFFFF
    if lost >> 23:  # a negative number of 24 bits
        lost -= 1 << 24
    return Block(fraction_lost, lost, highest, jitter)


def packets_received(first: int, block: Block) -> int:
    """The number of received packets of a stream that began with the sequence number ``first``
    (appendix A.3).
    """
    expected = (block.highest - first + 1) % _MODULUS
    # The far end started after the sequence numbers wrapped, and did not count the wrap.
    if expected > _MODULUS // 2:
        expected = (expected + (1 << 16)) % _MODULUS
    return max(0, expected - block.lost)
