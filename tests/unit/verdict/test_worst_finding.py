from __future__ import annotations

from harness.calls.checks import timing
from harness.calls.checks.finding import excused, not_observable
from harness.calls.verdict import Verdict, overall


def test_overall_is_the_worst() -> None:
    passed = timing.within("x", "it", 0.5, 1.0)
    failed = timing.within("x", "it", None, 1.0)
    unseen = not_observable("codec", "y", expected="z", why="nobody looks")
    assert overall([passed]) is Verdict.PASSED
    assert overall([passed, unseen]) is Verdict.NOT_OBSERVABLE
    assert overall([passed, unseen, failed]) is Verdict.FAILED
    assert overall([]) is Verdict.FAILED


def test_what_broke_hides_nothing_that_failed() -> None:
    failed = timing.took("x", "the fallback", 3.4, 2.0)
    broken = excused(failed, 0.5)
    assert overall([broken]) is Verdict.BROKEN
    assert overall([broken, failed]) is Verdict.FAILED
