"""Who answered the caller first: the platform itself, only where everybody it may have called was seen not to have answered."""

from __future__ import annotations

from typing import Any

import pytest

from harness.calls.events import CallState
from harness.diagnosis.caller_end import PLATFORM
from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.known import facts_of
from tests.unit.diagnosis.shown import shown

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


def test_before_anybody_had_taken_it() -> None:
    assert first(called().answered()) == PLATFORM
    assert first(taken_by(called().answered().after(0.1), "reception", "confirmed")) == PLATFORM


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


def test_what_it_plays_first_is_no_wrong_ring_timeout() -> None:
    """An Asterisk that answers, plays a greeting, lets the AI ring for as long as it should, and hangs up."""
    example = Example(row="NOANSWER", ai="stand-in", now=0.0).dials().rings("reception").answered().after(1.1).ai_gets()
    example.finding("final_response", "caller.1", code=200, wanted=[408, 480])
    example.after(2).finding("timing", "caller.1", seconds=3.1, expected_s=2.0)
    assert [cause.id for cause in example.diagnose().causes] == ["platform-answers-first"]


def test_a_call_that_nobody_answered() -> None:
    assert first(called()) is None
    assert first(called().ends_here(486, "Busy Here")) is None


def changed(monkeypatch: pytest.MonkeyPatch, part: str, name: str, **fields: object) -> Example:
    """The AI only rang and the caller was answered, in a deployment one of whose parts is another."""
    example = called().answered()
    deployment = example.deployment
    parts = dict(getattr(deployment, part))
    parts[name] = parts[name].model_copy(update=fields)
    monkeypatch.setattr(Example, "deployment", deployment.model_copy(update={part: parts}))
    return example


def test_who_is_not_seen_may_have_taken_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert first(called().answered(), "caller") is None
    assert first(Example(now=0.0).dials().rings("reception").after(0.2).answered()) is None, "who knows what the AI did"
    assert first(changed(monkeypatch, "groups", "reception", agents=())) is None, "its people have no harness phones"


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


@pytest.mark.parametrize("check", ["ringing", "prack", "final_response", "audio.early"])
def test_whatever_can_only_come_before_is_explained_where_somebody_is_not_seen(
    monkeypatch: pytest.MonkeyPatch, check: str
) -> None:
    """As by a fallback to people who have no harness phones."""
    example = changed(monkeypatch, "groups", "reception", agents=())
    facts: Any = {"code": 200} if check == "final_response" else {}
    example.after(1).finding(check, "caller.1", **facts)
    assert facts_of(example).value("answered.first") == UNSEEN
    assert [(cause.id, cause.confidence) for cause in example.diagnose().causes] == [
        ("platform-answers-first", "likely")
    ]


def test_a_number_whose_platform_speaks_first_is_as_it_should_be(monkeypatch: pytest.MonkeyPatch) -> None:
    assert first(changed(monkeypatch, "lines", "inbound", announcement_s=2.0)) is None


@pytest.mark.parametrize(
    ("check", "subject", "symptom"),
    [
        ("ringing", "caller.1", "answered.first"),
        ("final_response", "caller.1", "answered.first"),
        ("final_response", "OPTIONS", "other"),
        ("final_response", "caller.1's BYE", "release"),
        ("answered", "caller.1", "reach"),
    ],
)
def test_what_cannot_come_once_the_caller_has_been_answered(check: str, subject: str, symptom: str) -> None:
    facts: Any = {"code": 200} if check == "final_response" else {"seconds": None}
    found = shown(called().answered().after(1).finding(check, subject, **facts))
    assert found == [symptom]


def test_what_cannot_come_yet_is_another_s() -> None:
    assert "answered.first" not in shown(called().after(1).finding("ringing", "caller.1", seconds=None))


def test_a_challenge_is_not_the_answer_to_what_was_asked_after_it() -> None:
    example = Example(authentication="digest").dials().ai_gets().ai_answers(407)
    example.ai_gets(authorization='Digest username="x"', number="2").ai_answers(200, number="2")
    facts = facts_of(example.after(0.3).answered().finding("prack", "caller.1"))
    assert facts.value("ai.challenge") == "none"
    assert facts.value("answered.first") == UNSEEN
