"""Who answered the caller first: the platform itself, only where everybody it may have called was seen not to have answered."""

from __future__ import annotations

from typing import Any

import pytest

from harness.calls.events import CallState
from harness.diagnosis.caller_end import PLATFORM
from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.known import facts_of

UNSEEN = "nobody who was seen"


def called(**changes: Any) -> Example:
    """The AI has got the call, which only rings there, and so has an agent; the caller has not been answered yet."""
    example = Example(now=0.0, **changes).dials().ai_gets().rings("reception")
    return example.after(0.2)


def taken_by(example: Example, phone: str, state: str) -> Example:
    example.events.append(CallState(at=example.now, phone=phone, leg=f"{phone}.1", state=state, code=200))  # type: ignore[arg-type]
    return example


def first(example: Example, visibility: Any = "all") -> object:
    return facts_of(example, visibility).value("answered.first")


@pytest.mark.parametrize("state", ["connecting", "confirmed"])
def test_an_agent_who_had_taken_it(state: str) -> None:
    assert first(taken_by(called(), "reception", state).after(0.1).answered()) is None
    assert first(taken_by(called(), "reception", state).answered()) is None, "the moment is the same"
    assert first(taken_by(called(), "reception", "early").answered()) == PLATFORM


@pytest.mark.parametrize("method", ["INVITE", "PRACK"])
def test_a_200_that_left_before_the_phone_told_of_it(method: str) -> None:
    """A platform that is quick has the caller answered before the stand-in's phone has told its state."""
    example = (
        Example(ai="stand-in", now=0.0).dials().ai_gets().rings("stand-in").after(0.1).ai_answers(200, method=method)
    )
    example = taken_by(example.after(0.005).answered().after(0.002), "stand-in", "connecting")
    assert first(example) == (None if method == "INVITE" else PLATFORM)


def test_where_the_ai_is_not_seen_the_platform_may_have_been_first() -> None:
    """Only where something is missing that comes before an answer; what the caller's side alone sees has to list it then."""
    late = called().answered().after(1)
    assert first(late.copy().finding("answered", "caller.1", seconds=None), "caller") is None
    assert first(called().after(1).finding("ringing", "caller.1", seconds=None), "caller") is None, "not answered"
    late.finding("ringing", "caller.1", seconds=None)
    assert first(late, "caller") == UNSEEN
    assert "platform-answers-first" in {cause.id for cause in late.diagnose("caller").causes if cause.candidate}
    taken = taken_by(called(), "reception", "confirmed").answered().after(1)
    assert first(taken.finding("ringing", "caller.1", seconds=None), "caller+agents") is None, "an agent had"


def test_a_challenge_is_not_the_answer_to_what_was_asked_after_it() -> None:
    example = Example(authentication="digest").dials().ai_gets().ai_answers(407)
    example.ai_gets(authorization='Digest username="x"', number="2").ai_answers(200, number="2")
    facts = facts_of(example.after(0.3).answered().finding("prack", "caller.1"))
    assert facts.value("ai.challenge") == "none"
    assert facts.value("answered.first") == UNSEEN
