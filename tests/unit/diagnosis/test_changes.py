"""A change of the call that is not taken: by the platform, or by the AI's side to which it hands the change on."""

from __future__ import annotations

import pytest

from tests.unit.diagnosis.audio_examples import changed_at_the_ai
from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.stories import talk


def named(example: Example) -> list[tuple[str, str]]:
    return [(cause.id, cause.confidence) for cause in example.diagnose().causes]


def held(example: Example, code: int = 488) -> Example:
    """The caller asks for a hold, and gets that answer; with 0, none."""
    return example.asks("INVITE", code, "x").after(3).never()


@pytest.mark.parametrize("ai", ["synthflow", "stand-in"])
@pytest.mark.parametrize("code", [488, 0])
def test_what_the_ai_s_side_does_not_take_is_not_the_platform_s_refusal(ai: str, code: int) -> None:
    """A proxy hands a re-INVITE on (RFC 3261 section 16), and its answer back."""
    asked = changed_at_the_ai(talk(Example(row="HOLD", ai=ai)), *((100, code) if code else ()))
    assert named(held(asked, code)) == [("ai-refuses-change", "likely")]
