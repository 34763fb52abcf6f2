"""Where a call landed, and where it must not."""

from __future__ import annotations

from collections.abc import Sequence

from harness.checks.finding import judged
from harness.verdict import Finding


def landed(subject: str, wanted: str, rang: Sequence[str]) -> Finding:
    """The call rang at ``wanted``; ``rang`` names every place where it did."""
    return judged(
        "landing",
        subject,
        wanted in rang,
        expected=f"the call lands at {wanted}",
        actual="it landed nowhere" if not rang else f"it landed at {', '.join(rang)}",
        facts={"wanted": wanted, "rang": list(rang)},
    )


def never_rang(subject: str, rang: int, watched: bool, calls: Sequence[str] = ()) -> Finding:
    """A phone that could have rung did not. One that was not reachable has shown nothing, and fails."""
    if not watched:
        return judged(
            "landing.others",
            subject,
            False,
            expected="it does not ring",
            actual="it was not reachable, so its silence shows nothing",
            facts={"watched": False},
        )
    return judged(
        "landing.others",
        subject,
        rang == 0,
        expected="it does not ring",
        actual="it never rang" if rang == 0 else f"it rang {rang}×" + (f" ({', '.join(calls)})" if calls else ""),
        facts={"rang": rang},
    )


def only_one(subject: str, answered: Sequence[str], wanted: str) -> Finding:
    """Of all that could have answered, exactly ``wanted`` did."""
    return judged(
        "landing.answered_by",
        subject,
        list(answered) == [wanted],
        expected=f"{wanted} answers, and nobody else",
        actual="nobody answered" if not answered else f"{', '.join(answered)} answered",
        facts={"answered": list(answered), "wanted": wanted},
    )


def one_call(subject: str, up: Sequence[str], wanted: str) -> Finding:
    """The phone has the call ``wanted`` up, and no other."""
    return judged(
        "one_call",
        subject,
        list(up) == [wanted],
        expected="one call is up",
        actual=f"{', '.join(up) or 'none'} is up",
        facts={"up": list(up)},
    )
