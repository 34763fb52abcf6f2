"""A registration is refreshed before what was granted is over, be that less than was asked for, or more."""

from __future__ import annotations

import pytest

from harness.calls.verdict import Verdict
from harness.scenario.registration import RegisterAnswer, Registration
from tests.unit.scenario.conftest import MakeContext


class Answers:
    """A registrar that grants so much, and a phone that registers again so much later."""

    def __init__(self, granted: int | None, again_after: float) -> None:
        self._granted, self._again_after = granted, again_after
        self.waited_s = 0.0

    def first(self, within: float) -> RegisterAnswer:
        self.waited_s = within
        return RegisterAnswer(200, "OK", 100.0, self._granted)

    def next_success(self, after: RegisterAnswer, within: float) -> RegisterAnswer | None:
        return RegisterAnswer(200, "OK", after.at + self._again_after) if self._again_after <= within else None


@pytest.mark.parametrize(
    ("granted", "again_after", "verdict"),
    [
        (300, 295.0, Verdict.PASSED),
        (None, 295.0, Verdict.PASSED),
        (None, 301.0, Verdict.FAILED),
        (60, 55.0, Verdict.PASSED),
        (60, 295.0, Verdict.FAILED),  # it had lapsed by then
        (600, 595.0, Verdict.PASSED),  # 423, Min-Expires: 600 (RFC 3261 section 10.2.8)
        (600, 601.0, Verdict.FAILED),
        (600, 9999.0, Verdict.FAILED),
    ],
)
def test_what_was_granted_counts(
    make_context: MakeContext, granted: int | None, again_after: float, verdict: Verdict
) -> None:
    context = make_context()
    registration = Registration(context, "the number", Answers(granted, again_after))
    registration.is_accepted()
    registration.is_refreshed(before_s=300.0)
    assert context.evidence.findings[-1].verdict is verdict


def test_the_limit_told_is_the_one_that_was_waited_for(make_context: MakeContext) -> None:
    context, answers = make_context(), Answers(300, 295.0)
    Registration(context, "the number", answers).is_accepted()
    assert context.evidence.findings[-1].expected == f"REGISTER is answered 200 within {answers.waited_s:g} s"
