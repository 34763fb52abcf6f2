"""How checks word their findings."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.case.check_table import CHECKS, read_measurement
from harness.case.checks.registry import check
from harness.case.events import Expected
from harness.case.measurement import Measurement
from harness.case.verdict import Finding, Strength, Verdict


def heard_at(speaker: str, listener: str) -> str:
    """The subject of a finding about audio from ``speaker`` to ``listener``."""
    return f"{speaker} → {listener}"


def judged(
    check: str,
    subject: str,
    right: bool,
    *,
    expected: str,
    actual: str,
    strength: Strength | None = None,
    evidence: Iterable[str] = (),
    measured: Measurement | None = None,
) -> Finding:
    """A finding that passed or failed. Raises ``KeyError`` for a check that is not among
    :data:`CHECKS`.
    """
    verdict = Verdict.PASSED if right else Verdict.FAILED
    return _finding(check, subject, verdict, expected, actual, strength, evidence, measured)


def not_observable(
    check: str,
    subject: str,
    *,
    expected: str,
    why: str,
    strength: Strength = Strength.UNKNOWN,
    evidence: Iterable[str] = (),
    measured: Measurement | None = None,
) -> Finding:
    """A finding that says that the check could not observe its subject. Raises ``KeyError`` as
    :func:`judged` does.
    """
    actual = f"not observable: {why}"
    return _finding(
        check, subject, Verdict.NOT_OBSERVABLE, expected, actual, strength, evidence, measured
    )


def _finding(
    check: str,
    subject: str,
    verdict: Verdict,
    expected: str,
    actual: str,
    strength: Strength | None,
    evidence: Iterable[str],
    measured: Measurement | None,
) -> Finding:
    if check not in CHECKS:
        raise KeyError(f"{check} is no known check")
    if measured is not None and type(measured) is not CHECKS[check].measures:
        raise TypeError(f"{check} does not measure {type(measured).__name__}")
    return Finding(
        check=check,
        subject=subject,
        verdict=verdict,
        expected=expected,
        actual=actual,
        at=time.monotonic(),
        strength=strength,
        evidence=tuple(evidence),
        measured=measured,
    )


@check("unseen")
def unseen(
    check: str,
    subject: str,
    expected: str,
    why: str,
    measured: Mapping[str, Any] | None = None,
    evidence: Sequence[str] = (),
) -> Finding:
    """What could not be observed, and why; ``measured`` as :meth:`Measurement.plain` has it."""
    return not_observable(
        check,
        subject,
        expected=expected,
        why=why,
        evidence=evidence,
        measured=None if measured is None else read_measurement(check, measured),
    )


@check("raised")
def raised(finding: Mapping[str, Any]) -> Finding:
    """The finding that an exception carried, as :meth:`Finding.plain` has it: a phone waited in
    vain, or a scenario has an expectation of its own.
    """
    return Finding.from_plain(finding)


def as_raised(finding: Finding) -> Expected:
    """The expectation of a finding that an exception carried, with its own time."""
    expected = raised.of(finding.plain())
    return replace(expected, dated_at=finding.at, dispensable=finding.dispensable)
