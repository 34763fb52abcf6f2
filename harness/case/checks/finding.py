"""How checks word their findings."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace

from harness.case.check_table import CHECKS
from harness.case.checks.registry import adjustment
from harness.case.measurement import Duration, Measurement
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


def missed_by(finding: Finding) -> float | None:
    """The delay beyond the limit, in seconds. None if the event came in time, or never."""
    measured = finding.measured
    if not isinstance(measured, Duration) or measured.seconds is None or measured.limit_s is None:
        return None
    return measured.seconds - measured.limit_s if measured.seconds > measured.limit_s else None


#: A shorter wait is shown by its first digit.
_SHOWN_S = 0.01


@adjustment("late")
def excused(finding: Finding, starved_s: float) -> Finding:
    """Broken, not failed: the event came late, but the harness itself was kept waiting at least as
    long.
    """
    return _starved(finding, "in the time it was too late", starved_s)


@adjustment("starved")
def hindered(finding: Finding, starved_s: float) -> Finding:
    """Broken, not failed: a party was not heard, while the harness was kept from sending or
    listening.
    """
    return _starved(finding, "meanwhile", starved_s)


@adjustment("mute")
def mute(finding: Finding, phone: str, mute_s: float) -> Finding:
    """Broken, not failed: a party was not heard, while the process of a harness phone stood still."""
    return _broken(
        finding, f"{phone}, a phone of the harness, sent no RTP packet for {mute_s:.1f} s"
    )


@adjustment("stranger")
def unclear(finding: Finding, shown: Sequence[str]) -> Finding:
    """Not observable, not failed: the finding rests on calls that may be strangers' calls. They
    show the numbers ``shown``.
    """
    what = f"shows {', '.join(shown)}, which may be a stranger's" if shown else "shows no number"
    actual = f"not observable: {finding.actual}; but strangers call there too, and the call {what}"
    return replace(
        finding, verdict=Verdict.NOT_OBSERVABLE, actual=actual, strength=Strength.UNKNOWN
    )


@adjustment("broken")
def unproven(finding: Finding, why: str) -> Finding:
    """Broken, not failed: a part of the harness that the finding needs had broken. Only the first
    line of ``why`` is shown.
    """
    return _broken(finding, f"the harness itself had broken: {why.splitlines()[0]}")


def _starved(finding: Finding, when: str, starved_s: float) -> Finding:
    waited = f"{starved_s:.2f}" if starved_s >= _SHOWN_S else f"{starved_s:.1g}"
    broken = _broken(finding, f"{when} this machine kept the harness waiting for {waited} s")
    return replace(broken, starved_s=starved_s)


def _broken(finding: Finding, why: str) -> Finding:
    """The finding as broken. The reason goes into the first line, which most views show; a log may
    follow it.
    """
    first, *log = finding.actual.split("\n", 1)
    return replace(finding, verdict=Verdict.BROKEN, actual="\n".join([f"{first}; but {why}", *log]))
