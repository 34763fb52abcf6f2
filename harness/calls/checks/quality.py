"""How well audio arrives: what RTP lost, and how late the first sound came."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.audio.delay import Delay
from harness.calls import measurement
from harness.calls.checks.finding import heard_at, judged
from harness.calls.checks.registry import check
from harness.calls.events import RtpStatistics
from harness.calls.verdict import Finding

#: With fewer packets than a second's, a share says little.
FEWEST_PACKETS = 50
#: Of so many it says enough.
ENOUGH_PACKETS = 2 * FEWEST_PACKETS
#: Unless it would show by chance in a call out of 10,000, on a network that loses what it may.
_BY_CHANCE = 1e-4
#: Beyond this, concealment no longer hides the gaps (ITU-T G.113 appendix I: G.711 with packet loss concealment).
MOST_LOST = 0.05
#: A stream is judged by a second of it; a quarter missing is no clock that is late, and no concealment hides it.
LEAST_SPANNED_MS = 1000
LEAST_FILLED = 0.75
#: One pause amid a voice may be a moment's in which nobody had a processor; from the second on they are the stream's.
FEWEST_PAUSES = 2
#: ITU-T G.114 section 5: one way, 400 ms should not be exceeded for general network planning.
MOST_DELAY_MS = 400.0
#: What jitter buffer and detector may take to be sure of a mark, on top of the way there.
DECISION_MS = 200.0


@check("audio.loss")
def loss(leg: str, statistics: RtpStatistics, paused_ms: Sequence[float] = ()) -> Finding | None:
    """RTP lost on the way to ``leg`` (RFC 3550 section 6.4.1); None when too few packets came to judge.

    Of few packets only so many lost are judged as no network makes that keeps to the limit. What was never sent leaves no
    gap in the numbers, but in the audio. ``paused_ms`` are pauses that nothing announced, each amid one voice.
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
    """Whether a voice paused so often that it is no one moment's doing, of a processor or of a change of the call."""
    return len(paused_ms) >= FEWEST_PAUSES


def is_open(statistics: RtpStatistics) -> bool:
    """Whether packets are missing, and too few came yet to say how many go missing."""
    return statistics.rx_lost > 0 and statistics.rx_expected < ENOUGH_PACKETS


def _chance_of(lost: int, of: int) -> float:
    """How likely ``lost`` packets or more are when each is lost by itself, as often as may be."""
    return 1 - sum(math.comb(of, k) * MOST_LOST**k * (1 - MOST_LOST) ** (of - k) for k in range(lost))


@check("audio.delay")
def delay(speaker: str, listener: str, milliseconds: float, again: float | None = None) -> Finding:
    """The first of ``speaker`` was known at ``listener`` so long after both were connected.

    ``again`` is a second measurement, made when the first was too long; the shorter one counts.
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
    """Each pulse of a probe that ``speaker`` sent, by the time when it arrived at ``listener``; None: fewer than three did."""
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
