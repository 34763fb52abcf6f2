"""How checks word their findings."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from harness.verdict import Finding, Strength, Verdict


def judged(
    check: str,
    subject: str,
    right: bool,
    *,
    expected: str,
    actual: str,
    strength: Strength | None = None,
    evidence: Iterable[str] = (),
    facts: Mapping[str, object] | None = None,
) -> Finding:
    """A finding that passed or failed."""
    return Finding(
        check=check,
        subject=subject,
        verdict=Verdict.PASSED if right else Verdict.FAILED,
        expected=expected,
        actual=actual,
        at=time.monotonic(),
        strength=strength,
        evidence=tuple(evidence),
        facts=dict(facts or {}),
    )


def not_observable(check: str, subject: str, *, expected: str, why: str) -> Finding:
    """A finding that could not be made, because nothing here can see it."""
    return Finding(
        check=check,
        subject=subject,
        verdict=Verdict.NOT_OBSERVABLE,
        expected=expected,
        actual=f"not observable: {why}",
        at=time.monotonic(),
        strength=Strength.UNKNOWN,
    )
