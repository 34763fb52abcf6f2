"""What a phone of ours told last of itself holds, and what it did not tell is not known."""

from __future__ import annotations

import pytest

from harness.diagnosis.own import CONFIGURED, NO_ANSWER, NO_SUCH_NAME, SECOND, WEAKER
from harness.events import NameLookup, PasswordWithheld, WithheldBy
from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.known import facts_of


def kept(example: Example, *rules: WithheldBy | None) -> Example:
    for rule in rules:
        example.events.append(
            PasswordWithheld(
                at=example.now, phone="caller", leg="caller.1", realm="x", algorithm="MD5", why="x", rule=rule
            )
        )
    return example


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ((), None),
        ((None,), None),
        (("realm configured",), CONFIGURED),
        (("realm configured", "first realm"), SECOND),
        (("first realm", "stronger algorithm"), WEAKER),
        (("first realm", None), None),
    ],
)
def test_why_the_password_was_kept_last(rules: tuple[WithheldBy | None, ...], told: str | None) -> None:
    assert facts_of(kept(Example().dials(), *rules)).value("password.withheld") == told


@pytest.mark.parametrize(
    ("problems", "told"),
    [
        ((), None),
        (("EAI_NONAME", ""), None),
        (("", "EAI_NONAME"), NO_SUCH_NAME),
        (("EAI_NONAME", "no answer yet"), NO_ANSWER),
    ],
)
def test_how_the_name_was_looked_up_last(problems: tuple[str, ...], told: str | None) -> None:
    example = Example().dials()
    for problem in problems:
        asked = {"name": "sip.example", "seconds": 1.0, "problem": problem, "denied": problem == "EAI_NONAME"}
        example.events.append(NameLookup(at=example.now, phone="caller", leg="caller.1", **asked))  # type: ignore[arg-type]
    assert facts_of(example).value("name.caller") == told
