"""A caller's way in: announcements before and after the answer, menus, and refusals."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from harness.case.events import Event
from harness.case.verdict import ExpectationError, Verdict
from harness.scenario.call import Call
from harness.scenario.cast import Cast
from harness.scenario.context import CaseContext
from harness.scenario.expect import Expect
from harness.scenario.people import Caller
from harness.scenario.reported import MachineCall
from tests.unit.clock import Clock
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.legs import leg, message, sounds, states

PASSED, FAILED = Verdict.PASSED, Verdict.FAILED


def calls(context: CaseContext, clock: Clock, told: list[Event], **entry: Any) -> tuple[Call, Any]:
    """A caller's call of the case's line with such an entry, and its leg, on which these events
    come.
    """
    line = Cast(context).line(str(context.case.line))
    made = leg(
        message(clock.now, "sent", "INVITE sip:b@example.com SIP/2.0", ""), *told, clock=clock
    )
    phone: Any = SimpleNamespace(
        config=SimpleNamespace(domain="example.com"), dial=lambda uri, headers, play: made
    )
    called: Any = SimpleNamespace(did=line.did, entry=line.entry.model_copy(update=entry))
    return Caller(context, "caller", phone, "+12065550100").call(called), made


@pytest.mark.parametrize(
    ("speaks", "second_s"),
    [
        (
            [(1.2, 2.0)],
            2.7,
        ),  # a digit that comes before the menu has begun is lost (as with Twilio's Gather)
        ([(0.0, 0.4), (1.2, 2.0)], 2.7),  # the digit cuts the first menu off a moment later
        ([], 3.7),  # it says nothing
    ],
)
def test_a_digit_waits_for_its_own_menu(
    make_context: MakeContext, clock: Clock, speaks: list[tuple[float, float]], second_s: float
) -> None:
    answered, pressed = clock.now + 0.4, list[float]()
    pulses = sounds(answered, 12.0, lambda at: any(begin <= at <= end for begin, end in speaks))
    context = make_context(ai="stand-in", clock=clock)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Call, "press", lambda call, digit: pressed.append(clock.now - answered))
        calls(
            context,
            clock,
            [*states("confirmed", began=answered), *pulses],
            announcement_s=0.0,
            press="21",
        )
    assert pressed == [pytest.approx(0.0, abs=0.1), pytest.approx(second_s, abs=0.35)]


@pytest.mark.parametrize(
    ("entry", "pressed", "stayed_s"),
    [
        ({"announcement_s": 1.0, "press": "2"}, ["2"], 5.0),
        ({"announcement_s": 8.0, "press": None}, [], 12.0),
        (
            {"announcement_s": 0.0, "press": None},
            [],
            0.0,
        ),  # an open number's call goes to the AI at once
        (
            {"announcement_s": 1.0, "press": "2", "closes_after_menu": True},
            [],
            0.0,
        ),  # the digits are pressed already
    ],
)
def test_behind_a_machine_the_way_in_of_an_open_number_is_tried(
    make_context: MakeContext,
    clock: Clock,
    entry: dict[str, Any],
    pressed: list[str],
    stayed_s: float,
) -> None:
    context, began, found = make_context(ai="stand-in", clock=clock), clock.now, list[str]()
    name, lines = str(context.case.line), context.deployment.lines
    lines = {**lines, name: lines[name].model_copy(update=entry)}
    context.deployment = context.deployment.model_copy(update={"lines": lines})
    line: Any = SimpleNamespace(did="+13125550143", name=name, entry=lines[name])
    call = Call(context, leg(*states("confirmed", began=began)), "caller")
    group: Any = SimpleNamespace(name="billing")
    phone: Any = None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Call, "press", lambda call, digit: found.append(digit))
        Caller(context, "caller", phone, "+12065550100").goes_on_as_if_open(
            call, line, MachineCall(context, group, call, 0.0)
        )
    assert found == pressed
    assert clock.now - began == pytest.approx(stayed_s)


@pytest.mark.parametrize(
    ("early_s", "answered_s", "routed_s"),
    [
        (None, 1.0, 9.0),  # it answers, and speaks
        (0.5, 1.0, 9.0),  # it rings, answers, and speaks
        (0.2, 8.3, 8.3),  # it speaks first, and answers as the AI does (RFC 3960 section 3.1)
        (0.2, 6.2, 8.2),  # the AI is there before it has spoken to its end
        (0.2, None, None),
    ],
)
def test_a_number_may_speak_before_it_answers(
    make_context: MakeContext,
    clock: Clock,
    early_s: float | None,
    answered_s: float | None,
    routed_s: float | None,
) -> None:
    context, began = make_context(ai="stand-in", clock=clock), clock.now
    named = (("calling", 0.0), ("early", early_s), ("confirmed", answered_s))
    told = [
        event for state, at in named if at is not None for event in states(state, began=began + at)
    ]
    told += sounds(began, 9.0)
    if routed_s is None:
        with pytest.raises(ExpectationError):
            calls(context, clock, told, announcement_s=8.0, press=None)
    else:
        call, _ = calls(context, clock, told, announcement_s=8.0, press=None)
        assert call.routed - began == pytest.approx(routed_s, abs=0.06)
    assert context.evidence.findings[-1].verdict is (PASSED if routed_s else FAILED)


@pytest.mark.parametrize(
    ("after_s", "speaks", "verdict"),
    [
        (2.0, lambda at: False, PASSED),
        (20.0, lambda at: at % 8 < 6, PASSED),  # an announcement that is said three times
        (20.0, lambda at: False, FAILED),
        (20.0, lambda at: at % 6 < 2, FAILED),  # it rings
        (90.0, lambda at: True, FAILED),
    ],
)
def test_a_refusal_may_come_behind_an_announcement(
    make_context: MakeContext,
    clock: Clock,
    after_s: float,
    speaks: Callable[[float], bool],
    verdict: Verdict,
) -> None:
    context, began = make_context("NOSUCHNUMBER", clock=clock), clock.now
    made = leg(
        message(began, "sent", "INVITE sip:b@example.com SIP/2.0", ""),
        *sounds(began, after_s - 0.2, speaks),
        message(began + after_s, "received", "SIP/2.0 404 Not Found", "t"),
        *states("disconnected", began=began + after_s, code=404, reason="Not Found"),
        clock=clock,
    )
    Expect(context, Call(context, made, "caller")).ends_with((404,))
    assert context.evidence.findings[-1].verdict is verdict


@pytest.mark.parametrize(
    ("entry", "silent", "verdicts"),
    [
        ({"announcement_s": 3.0}, lambda at: False, [PASSED]),
        ({"announcement_s": 3.0}, lambda at: at < 3.5, [FAILED]),
        ({"press": "2", "notice_s": 2.0}, lambda at: False, [PASSED]),
        ({"press": "2", "notice_s": 2.0}, lambda at: at > 0.3, [FAILED]),  # the menu alone speaks
        ({"press": "2", "announcement_s": 3.0, "notice_s": 2.0}, lambda at: False, [PASSED] * 2),
        ({"press": "2"}, lambda at: False, []),
        ({"press": "2", "notice_s": 0.5}, lambda at: at > 0.3, []),  # too short to be told
    ],
)
def test_an_announcement_is_heard_by_the_caller(
    make_context: MakeContext,
    clock: Clock,
    entry: dict[str, Any],
    silent: Callable[[float], bool],
    verdicts: list[Verdict],
) -> None:
    context, answered = make_context(ai="stand-in", clock=clock), clock.now + 0.4
    told = [
        *states("confirmed", began=answered),
        *sounds(answered, 12.0, lambda at: not silent(at)),
    ]
    calls(context, clock, told, **{"announcement_s": 0.0, "press": None} | entry)
    found = [one for one in context.evidence.findings if one.check == "announcement"]
    assert [one.verdict for one in found] == verdicts


def test_a_notice_lasts_from_the_digit_on(make_context: MakeContext, clock: Clock) -> None:
    """Of the time that the menu takes to fall silent nothing is asked of the AI's call."""
    context, answered = make_context(ai="stand-in", clock=clock), clock.now + 0.4
    told = [*states("confirmed", began=answered), *sounds(answered, 12.0)]
    call, _ = calls(context, clock, told, announcement_s=0.0, press="2", notice_s=1.0)
    assert call.announced == (call.chosen, 1.0)
