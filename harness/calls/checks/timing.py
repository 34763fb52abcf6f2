"""When things happened, and that they ended."""

from __future__ import annotations

from harness.calls import measurement
from harness.calls.checks.finding import judged, not_observable
from harness.calls.checks.registry import check
from harness.calls.verdict import Finding

#: A way in that is worth a word.
_SHOWN_S = 0.1
#: How far what has a time set may be off it.
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

    Up to ``queue_s`` longer, in a queue or on the way to a telephone; up to ``way_in_s``, until the call was there at all.
    """
    queued = f", and at most {queue_s:g} s in a queue or on the way to a telephone" if queue_s else ""
    queued += f", and {way_in_s:.1f} s until it rang" if way_in_s >= _SHOWN_S else ""
    limit_s = expected_s + tolerance_s + queue_s + way_in_s
    return judged(
        "timing",
        subject,
        expected_s - tolerance_s <= seconds <= limit_s,
        expected=f"{what} after {expected_s:g} s ± {tolerance_s:g} s{queued}",
        actual=f"it was after {seconds:.2f} s",
        measured=measurement.Duration(what=what, seconds=seconds, expected_s=expected_s, limit_s=limit_s),
    )


def is_too_soon(seconds: float, expected_s: float) -> bool:
    """Whether that is less than what has a time set may take."""
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
    """A leg that must end did, within ``limit_s``; ``seconds`` is None when it is still up.

    ``doubt_s`` is how much earlier it may have ended: an interface that answers slowly makes no leg late.
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
