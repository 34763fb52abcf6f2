"""An AI that only rang: for as long as is agreed on, or for less."""

from __future__ import annotations

import pytest

from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.stories import fallback


def rang(after: float, agreed: float) -> list[tuple[str, str]]:
    """The AI rang for so long, and people were rung in its place then."""
    example = fallback(Example(ring_timeout_s=agreed), after=after).ai_gets().all_ports_answer()
    diagnosis = example.not_taken("the phone reception", attempted=["no-answer:x"]).diagnose()
    return [(cause.id, cause.confidence) for cause in diagnosis.causes]


@pytest.mark.parametrize("after", [1.1, 2.0, 20.0, 28.9])
def test_an_ai_that_is_given_up_early_may_have_answered(after: float) -> None:
    assert rang(after, 30.0) == [("ring-timeout-wrong", "likely"), ("ai-never-answers", "possible")]
