"""The caller's BYE that is not taken: by the platform, or by the AI's side to which it hands the BYE on."""

from __future__ import annotations

import pytest

from tests.unit.diagnosis.building import Example, named
from tests.unit.diagnosis.leg_examples import hung_up
from tests.unit.diagnosis.stories import handed_on, left_up, talk


def hangs_up(example: Example, code: int = 481) -> Example:
    """The caller hangs up, and gets that answer; with 0, none."""
    return left_up(example.asks("BYE", code, "x").after(1.5))


@pytest.mark.parametrize(
    ("at_the_ai", "code"), [((481,), 481), ((500,), 500), ((), 0), ((), 408), ((100, 503), 500), ((481,), 0)]
)
def test_what_the_ai_s_side_does_not_take_is_not_the_platform_s_refusal(at_the_ai: tuple[int, ...], code: int) -> None:
    """A proxy hands a BYE on as any other request (RFC 3261 section 16), and its answer back: its own is 408 where none comes."""
    assert named(hangs_up(handed_on(talk(Example()), *at_the_ai), code)) == [("ai-refuses-hangup", "likely")]


@pytest.mark.parametrize("code", [481, 0])
def test_what_the_ai_s_side_took_or_never_got_the_platform_refuses(code: int) -> None:
    assert named(hangs_up(handed_on(talk(Example()), 200), code)) == [("hangup-not-taken", "certain")]
    assert named(hangs_up(talk(Example()), code)) == [("hangup-not-taken", "certain")]
    challenged = handed_on(handed_on(talk(Example()), 407), 200)
    assert named(hangs_up(challenged, code)) == [("hangup-not-taken", "certain")]


def test_a_bye_of_the_ai_s_own_before_it_is_why_it_knows_no_call() -> None:
    """RFC 3261 section 15.1.2. One that it sends later is no reason."""
    assert named(hangs_up(handed_on(talk(Example()), 481, crossed=True))) == [("hangup-not-taken", "certain")]
    later = handed_on(talk(Example()), 481)
    later._sip("sent", "BYE sip:platform SIP/2.0", "BYE", to="<sip:x@y.example>;tag=p", number="9")
    assert named(hangs_up(later)) == [("ai-refuses-hangup", "likely")]


@pytest.mark.parametrize("code", [481, 0])
def test_where_nobody_sees_what_the_ai_got_it_may_have_refused(code: int) -> None:
    unseen = Example().dials().after(0.1).answered().taken().record(status="completed")
    assert named(hangs_up(unseen, code)) == [("hangup-not-taken", "likely")]


def test_a_phone_of_ours_in_the_ai_s_place_that_knows_no_such_call_was_sent_another_s_bye() -> None:
    """It refuses with 481 where Call-ID or tags are not the call's; for anything else it is an AI like others."""
    stood_in = talk(Example(ai="stand-in"))
    assert named(hangs_up(handed_on(stood_in.copy(), 481))) == [("hangup-not-taken", "likely")]
    assert named(hangs_up(handed_on(stood_in.copy(), 500))) == [("ai-refuses-hangup", "likely")]


@pytest.mark.parametrize("by", ["ai", "agent"])
def test_a_bye_that_our_own_caller_s_phone_refuses_was_taken_and_changed(by: str) -> None:
    """A proxy hands the AI's on to the caller, and the 481 back."""
    example = hung_up(by, 481).at_phone("caller", "BYE", within=True).at_phone("caller", "BYE", code=481)
    assert named(example) == [("hangup-not-taken", "likely")]
