"""How much of the time that a stream flows its packets' audio fills.

Sequence numbers show what was lost on the way (RFC 3550 section 6.4.1), and nothing of what was never sent. An audio source
without silence suppression sends all the time (RFC 3551 section 4.1); one with it begins each talkspurt with a marker, or
sends comfort noise (RFC 3389) ahead of its silence.
"""

from __future__ import annotations

from typing import Final

from harness.events import LONGEST_DROPOUT_S

#: G.711 and G.722 by their static types (RFC 3551 table 4): 8 octets a millisecond.
_OCTETS_A_MS: Final = dict.fromkeys((0, 8, 9), 8)
#: What is longer is a pause: a hold, another party, silence that nobody announced. It speaks for no thin stream by itself.
_PAUSE_MS: Final = 200.0
_MARKER, _PADDING, _EXTENSION, _CSRCS, _HEADER = 0x80, 0x20, 0x10, 0x0F, 12


class Flow:
    """Of one leg. Times are summed from packet to packet, so that jitter, which delays one and hurries the next, cancels out."""

    def __init__(self) -> None:
        self.spanned_ms = 0.0  #: between packets that follow each other in a stream that flows
        self.filled_ms = 0.0  #: of that by audio
        self._pauses: list[tuple[float, float]] = []
        # When the last packet came, its type, the length of its audio.
        self._last: tuple[float, int, float] | None = None

    def take(self, at: float, packet: bytes, *, follows: bool) -> None:
        """A packet arrived; ``follows`` says that it is the next in sequence."""
        kind = packet[1] & 0x7F
        last, self._last = self._last, (at, kind, _audio_ms(kind, packet))
        if last is None or not follows or packet[1] & _MARKER or last[1] != kind or not last[2]:
            return
        apart_ms = 1000 * (at - last[0])
        if apart_ms < _PAUSE_MS:
            self.spanned_ms += apart_ms
            self.filled_ms += last[2]
        elif apart_ms < 1000 * LONGEST_DROPOUT_S:
            self._pauses.append((last[0], at))

    def take_pauses(self) -> list[tuple[float, float]]:
        """Beginning and end of each pause since the last time that nothing announced, and no number is missing for; up to a second."""
        pauses, self._pauses = self._pauses, []
        return pauses


def _audio_ms(kind: int, packet: bytes) -> float:
    rate = _OCTETS_A_MS.get(kind)
    if rate is None:
        return 0.0
    if not packet[0] & (_PADDING | _EXTENSION | _CSRCS):
        return (len(packet) - _HEADER) / rate
    head = _HEADER + 4 * (packet[0] & _CSRCS)
    if packet[0] & _EXTENSION:
        head += 4 + 4 * int.from_bytes(packet[head + 2 : head + 4], "big")
    padding = packet[-1] if packet[0] & _PADDING else 0  # its last octet counts it (RFC 3550 section 5.1)
    return max(0, len(packet) - padding - head) / rate
