"""Checks of audio quality: RTP loss and delay."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.audio.delay import Delay
from harness.calls import measurement
from harness.calls.checks.finding import heard_at, judged
from harness.calls.checks.registry import check
from harness.calls.events import RtpStatistics
from harness.calls.verdict import Finding

#: One second of packets. With fewer, a share of losses says little.
FEWEST_PACKETS = 50
#: With this many packets the share is conclusive.
ENOUGH_PACKETS = 2 * FEWEST_PACKETS
#: Few packets are judged only if the loss would occur by chance in fewer than one of 10,000 calls on a network at the limit.
_BY_CHANCE = 1e-4
#: Beyond this, concealment no longer hides the gaps (ITU-T G.113 appendix I: G.711 with packet loss concealment).
MOST_LOST = 0.05
#: A stream is judged after one second. A missing quarter is more than a slow clock explains or concealment hides.
LEAST_SPANNED_MS = 1000
LEAST_FILLED = 0.75
#: One pause amid a voice may be due to a busy processor; two or more are due to the stream.
FEWEST_PAUSES = 2
#: ITU-T G.114 section 5: one way, 400 ms should not be exceeded for general network planning.
MOST_DELAY_MS = 400.0
#: Time that the jitter buffer and the detector may need to decode a mark, in addition to the network's delay.
DECISION_MS = 200.0


@check("audio.loss")
def loss(leg: str, statistics: RtpStatistics, paused_ms: Sequence[float] = ()) -> Finding | None:
    """At most 5 % of the RTP to ``leg`` is lost (RFC 3550 section 6.4.1); None when too few packets came to judge.

    Few packets are judged only when the loss is beyond chance. Packets that were never sent leave no gap in the sequence numbers,
    but one in the audio. ``paused_ms``: unannounced pauses, each amid one voice.
    """
    if (thin := _thin(leg, statistics, paused_ms)) is not None:
        return thin
    expected = statistics.rx_expected
    if expected < FEWEST_PACKETS and _chance_of(statistics.rx_lost, expected) > _BY_CHANCE:
        return None
    share = statistics.rx_lost / expected
    return judged(
        "audio.loss",
        leg,
        share <= MOST_LOST,
        expected=f"at most {MOST_LOST:.0%} of the RTP packets to {leg} are lost",
        actual=f"{statistics.rx_lost} of {expected} were ({share:.1%})",
        measured=measurement.Loss(lost=statistics.rx_lost, expected=expected, share=share),
    )


def _thin(leg: str, statistics: RtpStatistics, paused_ms: Sequence[float]) -> Finding | None:
    spanned, filled = statistics.rx_spanned_ms + sum(paused_ms), statistics.rx_filled_ms
    lost = (
        f"with {statistics.rx_lost} lost packets in it" if statistics.rx_lost else "with no gap in its sequence numbers"
    )
    dropouts = f"{len(paused_ms)} dropouts amid a voice, the longest of {max(paused_ms, default=0):.0f} ms; "
    least = 1 - MOST_LOST if is_broken_up(paused_ms) else LEAST_FILLED
    if spanned < LEAST_SPANNED_MS or filled >= least * spanned:
        return None
    return judged(
        "audio.loss",
        leg,
        False,
        expected=f"RTP to {leg} carries audio for all the time that it flows (RFC 3551 section 4.1)",
        actual=f"of {spanned / 1000:.1f} s it filled {filled / 1000:.1f} s ({filled / spanned:.0%}), {lost}: "
        f"{dropouts if paused_ms else ''}its source sends too few packets, and announces no silence",
        measured=measurement.Loss(
            lost=statistics.rx_lost,
            expected=statistics.rx_expected,
            spanned_s=spanned / 1000,
            filled_s=filled / 1000,
        ),
    )


def is_broken_up(paused_ms: Sequence[float]) -> bool:
    """Whether a voice paused too often for a single busy moment or change of the call to explain."""
    return len(paused_ms) >= FEWEST_PAUSES


def is_open(statistics: RtpStatistics) -> bool:
    """Whether packets are missing, but too few have come to judge the share."""
    return statistics.rx_lost > 0 and statistics.rx_expected < ENOUGH_PACKETS


def _chance_of(lost: int, of: int) -> float:
    """The probability of at least ``lost`` losses, if packets are lost independently at the highest permitted rate."""
    return 1 - sum(math.comb(of, k) * MOST_LOST**k * (1 - MOST_LOST) ** (of - k) for k in range(lost))


@check("audio.delay")
def delay(speaker: str, listener: str, milliseconds: float, again: float | None = None) -> Finding:
    """``listener`` heard ``speaker`` soon enough after both were connected.

    ``again``: a second measurement, made when the first was too long. The shorter one counts.
    """
    limit = MOST_DELAY_MS + DECISION_MS
    shorter = milliseconds if again is None else min(milliseconds, again)
    return judged(
        "audio.delay",
        heard_at(speaker, listener),
        shorter <= limit,
        expected=f"{speaker} is heard within {limit:.0f} ms ({MOST_DELAY_MS:.0f} ms delay + {DECISION_MS:.0f} ms detection)",
        actual=f"it took {milliseconds:.0f} ms" + ("" if again is None else f", and {again:.0f} ms when tried again"),
        measured=measurement.Delay(speaker=speaker, listener=listener, delay_ms=shorter, limit_ms=limit),
    )


@check("audio.one_way_delay")
def one_way_delay(speaker: str, listener: str, measured: Delay | None, listened_s: float) -> Finding:
    """The pulses of a probe took at most 400 ms from ``speaker`` to ``listener``. None: fewer than three pulses arrived."""
    return judged(
        "audio.one_way_delay",
        heard_at(speaker, listener),
        measured is not None and measured.median_ms <= MOST_DELAY_MS,
        expected=f"at most {MOST_DELAY_MS:.0f} ms one way (ITU-T G.114)",
        actual=f"{measured.median_ms:.0f} ms ({measured.least_ms:.0f} to {measured.most_ms:.0f} over {measured.pulses} pulses)"
        if measured is not None
        else f"fewer than three of its pulses were heard in {listened_s:.1f} s",
        measured=measurement.Delay(
            speaker=speaker,
            listener=listener,
            delay_ms=None if measured is None else measured.median_ms,
            limit_ms=MOST_DELAY_MS,
        ),
    )
