"""Several calls to one AI: a phone of ours has answered each before the next is placed, which the limits may hold back for long."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from harness.scenario.people import AssistantOf
from tests.unit.scenario.conftest import MakeContext


@pytest.mark.parametrize(
    ("is_ours", "order"),
    [
        (True, ["one is placed", "one is answered", "two is placed", "two is answered"]),
        (False, ["one is placed", "two is placed", "one is answered", "two is answered"]),
    ],
)
def test_a_call_does_not_ring_at_a_phone_of_ours_until_the_limits_let_the_next_be_placed(
    make_context: MakeContext, monkeypatch: pytest.MonkeyPatch, is_ours: bool, order: list[str]
) -> None:
    """It rang until the platform fell back, and the AI's side was named as certain: an assistant that is not published."""
    happened: list[str] = []

    def placed(name: str) -> Any:
        happened.append(f"{name} is placed")
        return name

    def answered(self: AssistantOf, of: Any, within: float | None = None) -> Any:
        happened.append(f"{of} is answered")
        return f"talk of {of}"

    context = make_context()
    name = next(iter(context.deployment.assistants))
    line: Any = SimpleNamespace(entry=SimpleNamespace(assistant=name, announcement_s=0.0))
    ai: Any = SimpleNamespace(is_ours=is_ours)
    monkeypatch.setattr(AssistantOf, "expect_call", answered)
    talks: Any = AssistantOf(context, ai, line).expect_calls(placed(each) for each in ("one", "two"))
    assert happened == order
    assert talks == [("one", "talk of one"), ("two", "talk of two")]
