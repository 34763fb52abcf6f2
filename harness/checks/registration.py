"""What became of a REGISTER."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.checks import timing
from harness.checks.finding import judged
from harness.verdict import Finding

#: A REGISTER's final answer: its status and reason.
Answer = tuple[int, str]


def accepted(subject: str, answer: Answer | None, within_s: float, granted_s: float | None = None) -> Finding:
    """It was answered 200, for some time; ``answer`` is None when none came in time, ``granted_s`` when nobody says.

    A registration for no time is none (RFC 3261 section 10.2.2).
    """
    right = answer is not None and answer[0] == 200 and granted_s != 0
    finding = _judged("registration", subject, right, f"200 within {within_s:g} s", answer)
    return finding if granted_s != 0 else replace(finding, actual=f"{finding.actual}, and granted 0 s")


def refused(subject: str, answer: Answer | None, codes: Sequence[int]) -> Finding:
    """It was refused with one of ``codes``."""
    right = answer is not None and answer[0] in codes
    return _judged("registration.refused", subject, right, " or ".join(map(str, codes)), answer)


def refreshed(subject: str, seconds: float | None, granted_s: float, asked_s: float) -> Finding:
    """It came again before the interval granted was over; ``seconds`` is None when it never did."""
    finding = timing.within(subject, "the registration is refreshed", seconds, granted_s)
    finding.facts["granted_s"], finding.facts["asked_s"] = granted_s, asked_s
    return finding


def _judged(check: str, subject: str, right: bool, expected: str, answer: Answer | None) -> Finding:
    code, reason = answer or (0, "")
    return judged(
        check,
        subject,
        right,
        expected=f"REGISTER is answered {expected}",
        actual="it was never answered" if answer is None else f"it was answered {code} {reason}".rstrip(),
        facts={"code": code, "reason": reason},
    )
