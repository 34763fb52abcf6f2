"""A caller asks for a person: by digits, words or silence, and again while nothing comes of it."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.deployment import Escalation, Handover
from harness.phone import Mark, Silence
from harness.scenario import ends
from harness.scenario.context import CaseContext
from harness.scenario.ends import Call
from harness.verdict import Verdict
from tests.unit.scenario.conftest import MakeContext


class Asked:
    """What a caller did until somebody rang, who does so when it has asked for the ``rings_at``-th time."""

    def __init__(self, context: CaseContext, rings_at: int, over: bool) -> None:
        self.said: list[str] = []
        self.context = context
        agent = next(iter(context.deployment.groups.values())).agents[0]
        rung = property(lambda phone: ["a leg"] if 0 < rings_at <= len(self.said) else [])
        context.phones._phones[agent] = type("Agent", (), {"incoming": rung})()
        leg: Any = SimpleNamespace(
            id="caller.1",
            events=[],
            successor=None,
            state="disconnected" if over else "confirmed",
            play=lambda source: self.said.append(type(source).__name__),
            send_digits=lambda digits, method: self.said.append(digits),
        )
        caller = cast("Any", Call(context, leg, "caller"))
        caller.say = self.said.append
        caller.is_over = lambda: over
        self.caller = caller


@pytest.fixture
def ask(make_context: MakeContext) -> Callable[..., Asked]:
    def ask(rings_at: int, *, over: bool = False, once: bool = False, **escalation: Any) -> Asked:
        context = make_context(escalation=Escalation.model_validate(escalation))
        context.patience = 0.0
        asked = Asked(context, rings_at, over)
        asked.caller.ask_for_a_person(once=once)
        context.background.join(30.0)
        return asked

    return ask


@pytest.mark.parametrize(
    ("rings_at", "times"), [(1, 1), (2, 2), (3, 3), (4, 3), (0, 3)], ids=["at once", "then", "at last", "late", "never"]
)
@pytest.mark.parametrize(("way", "said"), [("digit", "7"), ("prompt", "agent-please-en")])
def test_it_is_asked_again_while_nobody_rings(
    ask: Callable[..., Asked], way: str, said: str, rings_at: int, times: int
) -> None:
    asked = ask(rings_at, ways=[way], digit="7", prompt="agent-please-en", attempts=3, retry_after_s=0.001)
    assert asked.said == [said] * times
    assert asked.context.more_patience == pytest.approx(0.002)


def test_it_is_asked_once_unless_the_deployment_says_more(ask: Callable[..., Asked]) -> None:
    asked = ask(0, digit="7")
    assert asked.said == ["7"]
    assert asked.context.background._threads == []
    assert asked.context.more_patience == 0.0


def test_nothing_is_asked_again_of_an_empty_group(ask: Callable[..., Asked]) -> None:
    assert ask(0, once=True, digit="7", attempts=3, retry_after_s=0.001).said == ["7"]


@pytest.mark.parametrize("way", ["digit", "prompt", "silence"])
@pytest.mark.parametrize("unasked", [True, False])
def test_an_ai_that_hands_over_unasked_does_not_do_what_is_asked(
    make_context: MakeContext, way: str, unasked: bool
) -> None:
    context = make_context(
        escalation=Escalation.model_validate({"ways": [way], "digit": "7", "prompt": "agent-please-en"})
    )
    context.patience = 0.0
    asked = Asked(context, 0, over=True)
    context.phones._phones.clear()
    context.phones.rang = lambda: ["billing"] if unasked or asked.said else []  # type: ignore[method-assign]
    asked.caller.ask_for_a_person()
    context.background.join(30.0)
    told = [(finding.check, finding.verdict, finding.expected) for finding in context.evidence.findings]
    before = "it does not ring before the caller asks for a person"
    assert told == [("landing.turn", Verdict.FAILED, before)] * unasked


def test_nobody_asks_when_the_call_is_over(ask: Callable[..., Asked]) -> None:
    assert ask(0, over=True, digit="7", attempts=3, retry_after_s=0.001).said == ["7"]


def test_silence_ends_when_somebody_rings(ask: Callable[..., Asked]) -> None:
    asked = ask(1, ways=["silence"], silence_s=20.0)
    assert asked.said == [Silence.__name__, Mark.__name__]
    assert asked.context.more_patience == 20.0


def test_silence_ends_when_nothing_comes_of_it(ask: Callable[..., Asked]) -> None:
    assert ask(0, ways=["silence"], silence_s=0.001).said == [Silence.__name__, Mark.__name__]


def test_the_caller_says_what_the_simulated_ai_listens_for_where_the_deployment_names_no_prompt(
    ask: Callable[..., Asked],
) -> None:
    asked = ask(1, ways=["prompt"])
    assert asked.said == [asked.context.deployment.escalation.prompt] == ["agent-please-en"]


def test_an_ai_that_asks_back_is_answered_when_it_has_spoken(
    make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = make_context()
    context.patience = 0.0
    asked = Asked(context, 0, over=False)
    talk: list[str] = asked.said
    prompts = {"bills.wav": 3.0, "and.wav": 5.0}

    def say(prompt: str) -> float:
        talk.append(prompt)
        return prompts[prompt]

    asked.caller.say = say
    asked.caller.let_answer = lambda since, within: talk.append(f"hears the AI from {since:g}")
    monkeypatch.setattr(ends, "wait_for_pause", lambda leg: talk.append("pause"))
    handover = Handover.model_construct(
        transfer="cold", transfer_to="x", ways=("prompt",), prompt="bills.wav", digit=None, then=("and.wav", "4")
    )
    monkeypatch.setattr(CaseContext, "handover", handover)
    monkeypatch.setattr(CaseContext, "asks_by", "prompt")
    asked.caller.ask_for_a_person()
    assert talk == ["bills.wav", "hears the AI from 3", "pause", "and.wav", "hears the AI from 5", "pause", "4"]
