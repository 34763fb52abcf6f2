"""What of an RTP stream arrived, counted as RFC 3550 has it: each source apart, and each run of its sequence numbers. And what left.

pjmedia counts one sequence whatever the SSRC says. Where an SBC puts another party on the line (after a transfer, on
hold), the new source's numbers begin anywhere (RFC 3550 section 5.1), and pjmedia takes the distance for loss.

Sequence numbers show what was lost on the way (RFC 3550 section 6.4.1), and nothing of what was never sent. An audio source
without silence suppression sends all the time (RFC 3551 section 4.1); one with it begins each talkspurt with a marker, or
sends comfort noise (RFC 3389) ahead of its silence. So how much of the time that a stream flows its audio fills is counted, too.

Machine code (``streams.c``, whose layout this has) goes through the packets, as :func:`harness.phone.rtp_log.record` has them.
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Final, NamedTuple

from harness.calls.events import LONGEST_DROPOUT_S, PACKET_S

_TYPES: Final = 128
_STATIC: Final = 96  # payload types below are assigned (RFC 3551 section 6), those above by each SDP
_COMFORT_NOISE: Final = (13, 19)  # RFC 3389; 19 was used for it before
_SEEN: Final = 128
_PAUSES: Final = 64


class _Pause(ctypes.Structure):
    _fields_ = (("began", ctypes.c_double), ("ended", ctypes.c_double))


class _Reception(ctypes.Structure):
    _fields_ = (
        ("longest_dropout_ms", ctypes.c_double),
        ("types", ctypes.c_int64 * _TYPES),
        ("reordered", ctypes.c_int64),
        ("duplicated", ctypes.c_int64),
        ("bursts", ctypes.c_int64),
        ("sources", ctypes.c_int64),
        ("ssrc", ctypes.c_int64),
        ("base", ctypes.c_int64),
        ("highest", ctypes.c_int64),
        ("received", ctypes.c_int64),
        ("seen", ctypes.c_int64 * _SEEN),
        ("lost_before", ctypes.c_int64),
        ("next_ssrc", ctypes.c_int64),
        ("next_sequence", ctypes.c_int64),
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
        ("pauses", ctypes.c_int64),
        ("pause", _Pause * _PAUSES),
    )


class _Sending(ctypes.Structure):
    _fields_ = (
        ("offered", ctypes.c_int64),
        ("sent", ctypes.c_int64),
        ("ssrc", ctypes.c_int64),
        ("first", ctypes.c_int64),
    )


_library = ctypes.CDLL(str(Path(__file__).with_name("libstreams.so")))
_reception_take = _library.reception_take
_reception_take.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t)
_reception_take.restype = ctypes.c_size_t
_sending_take = _library.sending_take
_sending_take.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t)
_sending_take.restype = None


class Means(NamedTuple):
    """What means are made of, so that those of several streams can be added."""

    jitters_ms: float = 0.0
    measured: int = 0
    missing_ms: float = 0.0
    bursts: int = 0

    def and_of(self, others: Means) -> Means:
        """Those of both."""
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
        self._of = _Reception(longest_dropout_ms=1000 * LONGEST_DROPOUT_S, ssrc=-1, next_ssrc=-1, packet_s=PACKET_S)
        self._at = ctypes.addressof(self._of)
        self._pauses: list[tuple[float, float]] = []

    def take(self, records: bytes) -> None:
        """Packets arrived, in this order. What is no RTP is left out."""
        done = _reception_take(self._at, records, len(records))
        while self._of.pauses == _PAUSES:
            self._note_pauses()
            records = records[done:]
            done = _reception_take(self._at, records, len(records))

    def _note_pauses(self) -> None:
        self._pauses += ((pause.began, pause.ended) for pause in self._of.pause[: self._of.pauses])
        self._of.pauses = 0

    def take_pauses(self) -> list[tuple[float, float]]:
        """Beginning and end of each pause since the last time that nothing announced, and no number is missing for; up to a second."""
        self._note_pauses()
        pauses, self._pauses = self._pauses, []
        return pauses

    def counts(self, agreed: int) -> dict[str, int]:
        """By their names in :class:`~harness.calls.events.RtpStatistics`; ``agreed`` is the payload type that was negotiated."""
        of = self._of
        return {
            "rx_lost": self.lost,
            "rx_reordered": of.reordered,
            "rx_duplicated": of.duplicated,
            "rx_bursts": of.bursts,
            "rx_other_type": self.of_other_types(agreed),
            "rx_spanned_ms": round(of.spanned_ms),
            "rx_filled_ms": round(of.filled_ms),
        }

    def of_other_types(self, agreed: int) -> int:
        """Packets of another codec than the one with that payload type: the stream has no use for them."""
        types: list[int] = self._of.types[:_STATIC]
        return sum(types) - sum(types[kind] for kind in {agreed, *_COMFORT_NOISE} if kind < _STATIC)

    @property
    def lost(self) -> int:
        """Packets expected and not received, over all runs (RFC 3550 appendix A.3); one that comes twice makes up for no other."""
        return int(self._of.lost_before) + self._lost_now

    @property
    def means(self) -> Means:
        """Of the packets so far. A gap is as long as so many others of its run, whatever silence or hold it spans besides."""
        of = self._of
        missing_ms = float(of.missing_before_ms) + 1000 * float(of.packet_s) * self._lost_now
        return Means(1000 * float(of.jitters), int(of.measured), missing_ms, int(of.bursts))

    @property
    def _lost_now(self) -> int:
        of = self._of
        return int(of.highest - of.base + 1 - of.received) if of.sources else 0

    @property
    def sources(self) -> int:
        """How often another source, or another run of the same one, took over; the first counts."""
        return int(self._of.sources)


class Sending:
    """What one leg has sent over a transport."""

    def __init__(self) -> None:
        self._of = _Sending()
        self._at = ctypes.addressof(self._of)

    def take(self, records: bytes) -> None:
        """Packets left, in this order."""
        _sending_take(self._at, records, len(records))

    @property
    def offered(self) -> int:
        """Packets that the transport was to send, whether it could or not."""
        return int(self._of.offered)

    @property
    def sent(self) -> int:
        """Packets of the newest source."""
        return int(self._of.sent)

    @property
    def ssrc(self) -> int:
        """The newest source."""
        return int(self._of.ssrc)

    @property
    def first(self) -> int:
        """The sequence number that it began with."""
        return int(self._of.first)
