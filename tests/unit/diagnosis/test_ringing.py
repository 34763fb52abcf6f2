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


@pytest.mark.parametrize(("after", "agreed"), [(29.1, 30.0), (30.0, 30.0), (31.0, 30.0), (2.0, 2.0), (3.0, 2.0)])
def test_an_ai_that_had_all_of_its_time_does_not_answer(after: float, agreed: float) -> None:
    assert rang(after, agreed) == [("ai-never-answers", "certain")]


@pytest.mark.parametrize("after", [1.1, 2.0, 20.0, 28.9])
def test_an_ai_that_is_given_up_early_may_have_answered(after: float) -> None:
    assert rang(after, 30.0) == [("ring-timeout-wrong", "likely"), ("ai-never-answers", "possible")]


def test_who_is_refused_early_was_not_waited_for_either() -> None:
    example = Example(ring_timeout_s=30.0).dials().ai_gets().after(3).state("disconnected", 480, "x").all_ports_answer()
    causes = example.not_taken(attempted=["no-answer:x"]).diagnose().causes
    told = {cause.id: cause.confidence for cause in causes}
    assert causes[0].id == "ring-timeout-wrong"
    assert (told["ring-timeout-wrong"], told["ai-never-answers"]) == ("likely", "possible")


@pytest.mark.parametrize("status", ["no-answer", "canceled", "user-canceled"])
@pytest.mark.parametrize(("after", "cause"), [(30.0, "ai-never-answers"), (3.0, "ring-timeout-wrong")])
def test_a_record_of_a_call_that_was_given_up_is_of_one_that_rang(status: str, after: float, cause: str) -> None:
    """487, by which a CANCEL is answered (RFC 3261 section 9.2), is no refusal of the AI's."""
    example = fallback(Example(ring_timeout_s=30.0), after=after)
    example = example.record(status=status, telephony_disconnect_reason="request terminated").all_ports_answer()
    found = example.not_taken("the phone reception", attempted=[f"{status}:x"]).diagnose().causes
    assert (found[0].id, found[0].confidence) == (cause, "likely")
