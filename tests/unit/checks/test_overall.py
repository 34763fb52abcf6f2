from __future__ import annotations

from harness.checks import timing
from harness.checks.finding import not_observable
from harness.verdict import Verdict, overall


def test_overall_is_the_worst() -> None:
    passed = timing.within("x", "it", 0.5, 1.0)
    failed = timing.within("x", "it", None, 1.0)
    unseen = not_observable("codec", "y", expected="z", why="nobody looks")
    assert overall([passed]) is Verdict.PASSED
    assert overall([passed, unseen]) is Verdict.NOT_OBSERVABLE
    assert overall([passed, unseen, failed]) is Verdict.FAILED
    assert overall([]) is Verdict.FAILED
