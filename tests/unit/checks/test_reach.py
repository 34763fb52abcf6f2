"""When a call was answered is said from its INVITE on, whenever it began to be waited for."""

from __future__ import annotations

import pytest

from harness.calls.checks import reach
from harness.calls.verdict import Verdict


def test_a_wait_that_began_with_the_invite() -> None:
    finding = reach.answered("caller.1", 0.31, 4.0, since_invite_s=0.32)
    assert (finding.verdict, finding.actual) == (Verdict.PASSED, "0.32 s after the INVITE")


def test_a_wait_that_began_long_after_the_invite() -> None:
    """As after a ring timeout: the limit is for the wait, the time is from the INVITE."""
    finding = reach.answered("caller.1", 0.0, 4.0, since_invite_s=30.02)
    assert finding.verdict is Verdict.PASSED
    assert finding.actual == "30.02 s after the INVITE, 0.00 s after it was waited for"
    assert finding.facts["since_invite_s"] == 30.02


def test_a_machine_speaks_first_and_asks_later() -> None:
    finding = reach.takes_message("caller.1", (0.4, 6.2), "")
    assert finding.actual == "speech 0.4 s after the answer, the tone at 6.2 s"
    assert (finding.facts["speech_s"], finding.facts["tone_s"]) == (0.4, 6.2)


def test_no_answer_has_no_time() -> None:
    assert reach.answered("caller.1", None, 4.0, "no answer came").actual == "no answer came"


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        *((code, Verdict.PASSED) for code in (404, 408, 480, 486, 487, 503, 600, 603)),
        *((code, Verdict.NOT_OBSERVABLE) for code in (403, 405, 420, 501)),
        *((code, Verdict.FAILED) for code in (0, 200)),
    ],
)
def test_a_transfer_that_is_refused_as_such_says_nothing_of_the_group(outcome: int, expected: Verdict) -> None:
    """Whoever refuses every REFER was not asked whether anybody is there."""
    finding = reach.transfer_fails("assistant main", outcome)
    assert finding.verdict is expected
    assert finding.facts["code"] == outcome
    assert outcome == 0 or str(outcome) in finding.actual


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("transfer-failed-timeout", Verdict.PASSED),
        ("transfer-failed-connection-error (destination_unavailable)", Verdict.PASSED),
        ("transfer-failed-connection-error (transfer_method_unsupported)", Verdict.NOT_OBSERVABLE),
        ("transfer-failed-connection-error (transfer_blocked_by_carrier)", Verdict.NOT_OBSERVABLE),
        ("transfer-failed-connection-error (transfer_outside_availability)", Verdict.NOT_OBSERVABLE),
    ],
)
def test_a_transfer_that_failed_in_words(words: str, expected: Verdict) -> None:
    """A record that tells no status; one that the AI never tried, and one that is never taken, say nothing of the group."""
    finding = reach.transfer_fails("assistant main", words)
    assert finding.verdict is expected
    assert words in finding.actual
    assert finding.facts.get("code") is None
