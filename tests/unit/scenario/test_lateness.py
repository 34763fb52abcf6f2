"""What came too late is told from what the harness itself was too late to see."""

from __future__ import annotations

from typing import Any

from harness.checks import timing
from harness.checks.finding import missed_by
from harness.deployment import Expect
from harness.scenario.stage import Stage
from harness.verdict import Finding, Verdict


class _Recorder:
    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def finding(self, finding: Finding) -> None:
        self.findings.append(finding)


class _Named:
    def __init__(self, **names: Any) -> None:
        self.__dict__ |= names


def stage(starved_s: float) -> Stage:
    made = object.__new__(Stage)
    recorder: Any = _Recorder()
    made.findings, made.recorder = [], recorder
    made.starved = lambda begin, end: min(starved_s, end - begin)
    made.deployment = _Named(expect=Expect())  # type: ignore[assignment]
    made.case = _Named(row=_Named(id="TD-FALLBACK-TIMEOUT"))  # type: ignore[assignment]
    return made


def late(seconds: float) -> Finding:
    return timing.took("reception", "the fallback", seconds, 2.0)


def test_a_starved_harness_blames_nobody_and_does_not_pass() -> None:
    found = stage(starved_s=0.5).add(late(3.4))
    assert found.verdict is Verdict.BROKEN
    assert found.actual == (
        "it was after 3.40 s; but in the time it was too late this machine had no processor for the harness for 0.50 s"
    )


def test_one_that_was_kept_waiting_for_less_than_was_missed_saw_it_late() -> None:
    assert stage(starved_s=0.3).add(late(3.4)).verdict is Verdict.FAILED
    assert stage(starved_s=0.0).add(late(3.4)).verdict is Verdict.FAILED


def test_what_came_in_time_or_too_soon_or_never_is_what_it_is() -> None:
    assert stage(starved_s=9.0).add(late(2.4)).verdict is Verdict.PASSED
    assert stage(starved_s=9.0).add(late(0.2)).verdict is Verdict.FAILED
    assert stage(starved_s=9.0).add(timing.within("x", "it", None, 1.0)).verdict is Verdict.FAILED


def test_by_how_much_it_came_too_late() -> None:
    assert missed_by(late(3.4)) is not None
    assert round(missed_by(late(3.4)) or 0.0, 3) == 0.4
    assert missed_by(late(3.0)) is None
    assert missed_by(timing.released("x", None, 1.0)) is None
