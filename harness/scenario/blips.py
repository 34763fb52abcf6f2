"""Whether what was heard was a packet or two, after which nothing came: a way that is open to no voice."""

from __future__ import annotations

import math
from typing import Final

from harness.audio.garbled import audible_s
from harness.audio.marks import SAMPLE_RATE
from harness.calls.events import Event, RtpStatistics
from harness.phone.leg import Leg
from harness.phone.waiter import NeverCame

#: A syllable; one lost packet's concealment repeats 20 ms of sound to some 120 (RFC 3550 leaves it to the receiver).
_SYLLABLE_S: Final = 0.2
#: Two counts, which come once a second.
_COUNTED_TWICE_S: Final = 3.0


def listen_again_from(leg: Leg, since: float, heard_at: float) -> float | None:
    """From when on to listen again, where what was heard at ``heard_at`` is none of what came after ``since``, or a blip; else None.

    A pulse of the listener speaks of the time before it. A blip is less than a syllable, behind which by two counts no RTP came: an AI
    that pauses may send nothing as well (RFC 3551 section 4.1), so it takes both.
    """
    samples = leg.received_since(since)
    audible = audible_s(samples)
    if len(samples) > (heard_at - since) * SAMPLE_RATE and not audible:
        return math.nextafter(heard_at, math.inf)
    return _silent_from(leg, heard_at) if 0.0 < audible < _SYLLABLE_S else None


def _silent_from(leg: Leg, heard_at: float) -> float | None:
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
