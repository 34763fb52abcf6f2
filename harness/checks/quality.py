"""How well audio arrives: what RTP lost, and how late the first sound came."""

from __future__ import annotations

from harness.checks.finding import judged
from harness.events import RtpStatistics
from harness.verdict import Finding

#: With fewer packets than a second's, a share says nothing.
FEWEST_PACKETS = 50
#: Beyond this, concealment no longer hides the gaps (ITU-T G.113 appendix I: G.711 with packet loss concealment).
MOST_LOST = 0.05
#: ITU-T G.114 section 5: one way, 400 ms should not be exceeded for general network planning.
MOST_DELAY_MS = 400.0
#: What jitter buffer and detector may take to be sure of a mark, on top of the way there.
DECISION_MS = 200.0


def loss(leg: str, statistics: RtpStatistics) -> Finding | None:
    """RTP lost on the way to ``leg`` (RFC 3550 section 6.4.1); None when too few packets came to judge."""
    expected = statistics.rx_packets + statistics.rx_lost
    if expected < FEWEST_PACKETS:
        return None
    share = statistics.rx_lost / expected
    return judged(
        "audio.loss",
        leg,
        share <= MOST_LOST,
        expected=f"at most {MOST_LOST:.0%} of the RTP packets to {leg} are lost",
        actual=f"{statistics.rx_lost} of {expected} were ({share:.1%})",
        facts={"lost": statistics.rx_lost, "expected": expected, "share": share},
    )


def delay(speaker: str, listener: str, milliseconds: float, again: float | None = None) -> Finding:
    """The first of ``speaker`` was known at ``listener`` so long after both were connected.

    ``again`` is a second measurement, made when the first was too long; the shorter one counts.
    """
    limit = MOST_DELAY_MS + DECISION_MS
    shorter = milliseconds if again is None else min(milliseconds, again)
    return judged(
        "audio.delay",
        f"{speaker} → {listener}",
        shorter <= limit,
        expected=f"{speaker} is heard within {MOST_DELAY_MS:.0f} ms, and {DECISION_MS:.0f} ms to be sure of it",
        actual=f"it took {milliseconds:.0f} ms" + ("" if again is None else f", and {again:.0f} ms when tried again"),
        facts={"ms": shorter, "limit_ms": limit},
    )
