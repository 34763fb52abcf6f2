"""Checks of time: when an event happened, and whether a leg ended in time."""

from __future__ import annotations

from harness.case import measurement
from harness.case.checks.finding import judged, not_observable
from harness.case.checks.registry import check
from harness.case.verdict import Finding

#: Shortest time until ringing that the message mentions.
_SHOWN_S = 0.1
#: Tolerance for an event with a configured time.
TOLERANCE_S = 1.0


@check("timing")
def took(
    subject: str,
    what: str,
    seconds: float,
    expected_s: float,
    tolerance_s: float = TOLERANCE_S,
    queue_s: float = 0.0,
    way_in_s: float = 0.0,
) -> Finding:
    """``what`` took the configured time, within ``tolerance_s``.

    It may take ``queue_s`` longer, for a queue or the route to a telephone, and ``way_in_s``
    longer, until the call rang at all.
    """
    queued = (
        f", and at most {queue_s:g} s in a queue or on the way to a telephone" if queue_s else ""
    )
    queued += f", and {way_in_s:.1f} s until it rang" if way_in_s >= _SHOWN_S else ""
    limit_s = expected_s + tolerance_s + queue_s + way_in_s
    return judged(
        "timing",
        subject,
        expected_s - tolerance_s <= seconds <= limit_s,
        expected=f"{what} after {expected_s:g} s ± {tolerance_s:g} s{queued}",
        actual=f"it was after {seconds:.2f} s",
        measured=measurement.Duration(
            what=what, seconds=seconds, expected_s=expected_s, limit_s=limit_s
        ),
    )


def is_too_soon(seconds: float, expected_s: float) -> bool:
    """Whether the event came before the configured time, beyond the tolerance."""
    return seconds < expected_s - TOLERANCE_S


@check("timing.within")
def within(subject: str, what: str, seconds: float | None, limit_s: float) -> Finding:
    """``what`` happened within ``limit_s``; ``seconds`` is None when it never did."""
    return judged(
        "timing.within",
        subject,
        seconds is not None and seconds <= limit_s,
        expected=f"{what} within {limit_s:g} s",
        actual="it never came" if seconds is None else f"it came after {seconds:.2f} s",
        measured=measurement.Duration(what=what, seconds=seconds, limit_s=limit_s),
    )


@check("released")
def released(subject: str, seconds: float | None, limit_s: float, doubt_s: float = 0.0) -> Finding:
    """A leg ended within ``limit_s``; ``seconds`` is None when it is still up.

    ``doubt_s``: how much earlier it may have ended. A slow answer of the AI's interface must not
    make a leg late.
    """
    expected = f"the leg ends within {limit_s:g} s"
    if seconds is not None and seconds - doubt_s <= limit_s < seconds:
        why = f"it had ended when its interface answered after {seconds:.2f} s, which does not say when"
        return not_observable("released", subject, expected=expected, why=why)
    return judged(
        "released",
        subject,
        seconds is not None and seconds <= limit_s,
        expected=expected,
        actual="it is still up" if seconds is None else f"it ended after {max(seconds, 0.0):.2f} s",
        measured=measurement.Duration(seconds=seconds, limit_s=limit_s),
    )
