"""A change of the call that is not taken: by the platform, or by the AI's side to which it hands the change on."""

from __future__ import annotations

import pytest

from tests.unit.diagnosis.audio_examples import changed_at_the_ai
from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.known import facts_of
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


def test_a_proxy_s_408_is_of_a_change_that_the_ai_s_side_left_unanswered() -> None:
    """RFC 3261 sections 16.7 and 16.8: its own answer where none has come."""
    assert named(held(changed_at_the_ai(talk(Example(row="HOLD"))), 408)) == [("ai-refuses-change", "likely")]


@pytest.mark.parametrize("code", [488, 0])
def test_what_the_ai_s_side_took_or_never_got_the_platform_refuses(code: int) -> None:
    assert named(held(changed_at_the_ai(talk(Example(row="HOLD")), 100, 200), code)) == [("change-refused", "certain")]
    assert named(held(talk(Example(row="HOLD")), code)) == [("change-refused", "certain")]


@pytest.mark.parametrize("code", [488, 0])
def test_where_nobody_sees_what_the_ai_got_it_may_have_refused(code: int) -> None:
    unseen = held(Example(row="HOLD").dials().after(0.1).answered().taken().record(status="completed"), code)
    assert named(unseen) == [("change-refused", "likely")]
    refused = held(changed_at_the_ai(talk(Example(row="HOLD")), 488), 488)
    assert refused.diagnose("caller").causes[0].confidence == "likely"


def test_a_refused_refresh_of_the_platform_s_own_is_no_refused_change() -> None:
    """An UPDATE without SDP changes no media (RFC 4028 section 7.4)."""
    example = talk(Example(row="HOLD"))
    to = {"to": "<sip:ai@192.0.2.60>;tag=b", "number": "7"}
    example._sip("received", "UPDATE sip:ai@192.0.2.60 SIP/2.0", "UPDATE", **to)._sip(
        "sent", "SIP/2.0 405 x", "UPDATE", **to
    )
    assert facts_of(held(example)).value("change.at_ai") == "neither refused nor unanswered"
    assert named(example) == [("change-refused", "certain")]
