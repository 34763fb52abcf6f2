"""After a change of the call the AI's words of before confirm nothing: music on hold may go on."""

from __future__ import annotations

from typing import Any

import pytest

from harness.scenario.signs import Look
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.sign_cases import HELLO, Caller, Case

FIRST = f"bot: Hi.\n{HELLO}\nbot: It is me."


@pytest.mark.parametrize("come", ["during", "after"])
@pytest.mark.parametrize(
    ("then", "by_ai", "by_caller"),
    [
        (f"{HELLO}\nbot: Still me.", "WORDS", "WORDS"),
        (HELLO, "WORDS", "SOUND"),
        ("human: something else\nbot: Pardon?", "", "SOUND"),
        ("", "", "SOUND"),
    ],
)
def test_words_behind_a_change_are_those_behind_its_greeting(
    make_context: MakeContext, come: str, then: str, by_ai: str, by_caller: str
) -> None:
    told: Any = {"strength": "confirmed", "transcript": come}
    case = Case(make_context, Caller(), f"{FIRST}\n{then}", **told).settle()
    assert case.heard_by_caller == ("WORDS", "")
    case.look = Look(case.context, case.look._talk, case.caller, 0.0, again=True)  # type: ignore[arg-type]
    case.look.begin()
    case.settle()
    assert (case.heard_by_ai[0], case.heard_by_caller[0]) == (by_ai, by_caller)
    assert [did for did in case.caller.did if did != "sends its mark"][-1] == "lets the AI answer"
