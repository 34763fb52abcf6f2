"""Expectations in the tests of stored cases, judged as a scenario has them judged."""

from __future__ import annotations

from harness.case.checks.registry import registered
from harness.case.events import Expected
from harness.case.excuses import MachineInLog
from harness.case.judge import Judge
from harness.case.recorder import CaseRecorder
from harness.case.verdict import Finding


def expect(recorder: CaseRecorder, expected: Expected) -> Finding:
    """Record an expectation and its finding."""
    judge = Judge(recorder.events, MachineInLog(recorder.events), {}, 0.0)
    finding = judge.finding(expected)
    assert finding is not None
    recorder.event(expected)
    recorder.finding(finding)
    return finding


def made(expected: Expected) -> Finding:
    """The finding of an expectation that nothing excuses."""
    finding = registered(expected.check).judged(expected.given)
    assert finding is not None
    return finding
