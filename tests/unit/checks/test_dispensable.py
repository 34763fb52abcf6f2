"""Findings nobody could make, where the deployment says that a case may do without them."""

from __future__ import annotations

from dataclasses import replace

from harness.calls.checks.finding import judged, not_observable
from harness.calls.verdict import Verdict, overall

UNSEEN = not_observable("codec", "the AI", expected="G.711", why="no SDP is shown")
SEEN = judged("audio", "caller → ai", True, expected="sound", actual="sound")
WRONG = judged("audio", "caller → ai", False, expected="sound", actual="silence")


def test_it_counts_unless_the_deployment_says_otherwise() -> None:
    assert overall([SEEN, UNSEEN]) is Verdict.NOT_OBSERVABLE
    assert overall([SEEN, replace(UNSEEN, dispensable=True)]) is Verdict.PASSED


def test_a_case_of_nothing_else_has_shown_nothing() -> None:
    assert overall([replace(UNSEEN, dispensable=True)]) is Verdict.NOT_OBSERVABLE


def test_a_finding_that_was_made_counts_whatever_the_deployment_says() -> None:
    assert overall([SEEN, replace(WRONG, dispensable=True)]) is Verdict.FAILED
