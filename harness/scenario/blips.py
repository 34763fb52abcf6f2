"""Whether what was heard was a packet or two, after which nothing came: a way that is open to no voice."""

from __future__ import annotations

import math
from typing import Final

from harness.audio.garbled import audible_s
from harness.events import Event, RtpStatistics
from harness.phone.leg import Leg
from harness.phone.waiter import NeverCame

#: A syllable; one lost packet's concealment repeats 20 ms of sound to some 120 (RFC 3550 leaves it to the receiver).
_SYLLABLE_S: Final = 0.2
#: Two counts, which come once a second.
_COUNTED_TWICE_S: Final = 3.0


def silent_from(leg: Leg, since: float, heard_at: float) -> float | None:
    """From when on no RTP came any more, by two counts; None where more than a syllable was heard since ``since``, or more came.

    An AI that pauses may send nothing as well (RFC 3551 section 4.1), so it takes both.
    """
    if not 0.0 < audible_s(leg.received_since(since)) < _SYLLABLE_S:
        return None
    counts: list[RtpStatistics] = []

    def second(event: Event) -> bool:
        if isinstance(event, RtpStatistics) and event not in counts:
            counts.append(event)
        return len(counts) > 1

    try:
        leg.wait("two counts of the RTP received", second, _COUNTED_TWICE_S, since=heard_at)
    except NeverCame:
        return None
    before, after = counts[:2]
    return math.nextafter(before.at, math.inf) if after.rx_packets == before.rx_packets else None
