"""A caller asks for a person: by digits, words or silence, and again while nothing comes of it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from harness.deployment import Escalation
from harness.phone import Mark, Silence
from harness.scenario.ends import Call


class FakeStage:
    """Somebody rings when the caller has asked for the ``rings_at``-th time; time passes by itself."""

    patience = 0.0

    def __init__(self, escalation: Escalation, rings_at: int) -> None:
        self.deployment = SimpleNamespace(escalation=escalation)
        self.case = SimpleNamespace(axes={})
        self.rings_at = rings_at
        self.asked: list[str] = []
        self.patient_for = 0.0
        self.asides: list[Callable[[], None]] = []

    def be_patient(self, seconds: float) -> None:
        self.patient_for = seconds

    def aside(self, work: Callable[[], None]) -> None:
        self.asides.append(work)

    def step(self, text: str) -> Any:
        return contextlib.nullcontext()

    def scripted(self, seconds: float, why: str) -> None:
        pass

    def pause(self, seconds: float) -> None:
        pass

    def rang(self) -> list[str]:
        return ["billing"] if 0 < self.rings_at <= len(self.asked) else []


def ask(rings_at: int, *, over: bool = False, once: bool = False, **escalation: Any) -> FakeStage:
    """What happened on stage."""
    stage: Any = FakeStage(Escalation.model_validate(escalation), rings_at)
    leg = SimpleNamespace(
        id="caller.1",
        events=[],
        successor=None,
        state="disconnected" if over else "confirmed",
        play=lambda source: stage.asked.append(type(source).__name__),
        send_digits=lambda digits, method: stage.asked.append(digits),
    )
    caller: Any = Call(stage, leg, "caller")  # type: ignore[arg-type]
    caller.say = stage.asked.append
    caller.is_over = lambda: over
    caller.ask_for_a_person(once=once)
    for work in stage.asides:
        work()
    return stage  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("rings_at", "times"), [(1, 1), (2, 2), (3, 3), (4, 3), (0, 3)], ids=["at once", "then", "at last", "late", "never"]
)
@pytest.mark.parametrize(("way", "said"), [("digit", "7"), ("prompt", "agent-please-en")])
def test_it_is_asked_again_while_nobody_rings(way: str, said: str, rings_at: int, times: int) -> None:
    stage = ask(rings_at, ways=[way], digit="7", prompt="agent-please-en", attempts=3, retry_after_s=0.001)
    assert stage.asked == [said] * times
    assert stage.patient_for == pytest.approx(0.002)


def test_it_is_asked_once_unless_the_deployment_says_more() -> None:
    stage = ask(0, digit="7")
    assert stage.asked == ["7"]
    assert stage.asides == []
    assert stage.patient_for == 0.0


def test_nothing_is_asked_again_of_an_empty_group() -> None:
    assert ask(0, once=True, digit="7", attempts=3, retry_after_s=0.001).asked == ["7"]


def test_nobody_asks_when_the_call_is_over() -> None:
    assert ask(0, over=True, digit="7", attempts=3, retry_after_s=0.001).asked == ["7"]


def test_silence_ends_when_somebody_rings() -> None:
    stage = ask(1, ways=["silence"], silence_s=20.0)
    assert stage.asked == [Silence.__name__, Mark.__name__]
    assert stage.patient_for == 20.0


def test_silence_ends_when_nothing_comes_of_it() -> None:
    assert ask(0, ways=["silence"], silence_s=0.001).asked == [Silence.__name__, Mark.__name__]
