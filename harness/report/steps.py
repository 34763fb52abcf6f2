"""How each step of a case ended: by what it raised, and by the findings made in it."""

from __future__ import annotations

from collections.abc import Sequence

from harness.calls.verdict import ORDER, Finding, Verdict
from harness.report.evidence import Step


def verdict_of(step: Step, findings: Sequence[Finding]) -> Verdict:
    """The worst of what the step raised and what was found while it went on; findings are collected, and few are raised.

    One that is counts as it was recorded: nobody could look, or the harness itself was the reason.
    """
    inside = within(step, findings)
    found = {finding.verdict for finding in inside}
    if step.ended is None or (step.error is not None and not step.failed):
        found.add(Verdict.BROKEN)
    if step.failed and not any(_raised(step.error or "", finding) for finding in inside):
        found.add(Verdict.FAILED)
    return next((verdict for verdict in ORDER if verdict in found), Verdict.PASSED)


def within(step: Step, findings: Sequence[Finding]) -> list[Finding]:
    """The findings made while the step went on."""
    return [f for f in findings if f.at >= step.began and (step.ended is None or f.at <= step.ended)]


def _raised(error: str, finding: Finding) -> bool:
    """Whether an error's words are those of that finding, but for what was seen."""
    words = f"{finding.check} of {finding.subject}: expected {finding.expected};"
    return finding.verdict is not Verdict.PASSED and error.startswith(words)
